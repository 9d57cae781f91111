"""Figures as plotly draws them."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from trivium.sweep.report.figures import Axis, Figure, Panel, Series

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
_MODES = {"points": "markers", "line": "lines", "both": "lines+markers", "stairs": "lines"}
_SYMBOLS = {"cross": "x", "none": "circle"}
_SIZES = {"star": 14, "none": 1, "cross": 9}


def draw(figure: Figure) -> Any:
    """A `plotly.graph_objects.Figure`; texts are escaped, since plotly reads some HTML in them."""
    from plotly.subplots import make_subplots  # type: ignore[import-untyped]

    gap = 0.04 if figure.share_y else 0.12
    shape = {"rows": figure.rows, "cols": figure.columns, "horizontal_spacing": gap, "vertical_spacing": 0.3 / figure.rows}
    drawn = make_subplots(shared_yaxes=figure.share_y, **shape)
    named: set[str] = set()
    for i, panel in enumerate(figure.panels):
        place = dict(zip(("row", "col"), (1 + one for one in divmod(i, figure.columns)), strict=True))
        for series in panel.series:
            drawn.add_trace(_trace(series, series.name not in named), **place)
            named |= set() if series.silent else {series.name}
        _levels(drawn, panel, place)
        drawn.update_xaxes(_axis(panel.x), **place)
        drawn.update_yaxes(_axis(panel.y, figure.share_y and place["col"] > 1), **place)
    return styled(drawn, figure.height * figure.rows, legend=len(named) > 1)


def styled(drawn: Any, height: int, legend: bool = True) -> Any:
    """The looks that all figures share."""
    drawn.update_layout(
        template="plotly_white",
        title=None,
        height=height,
        margin={"l": 70, "r": 20, "t": 50, "b": 60},
        font={"family": FONT, "size": 13, "color": "#1f2933"},
        barmode="overlay",
        showlegend=legend,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        hoverlabel={"align": "left"},
    )
    drawn.update_xaxes(automargin=True, zeroline=False, exponentformat="power")
    drawn.update_yaxes(automargin=True, zeroline=False, exponentformat="power")
    return drawn


def text(words: Any) -> str:
    """Words as plotly shows them and does not read them."""
    return escape(str(words), quote=False).replace("\n", "<br>")


def _trace(series: Series, first: bool) -> Any:
    import plotly.graph_objects as go  # type: ignore[import-untyped]

    shared: dict[str, Any] = {
        "name": text(series.name),
        "legendgroup": series.name,
        "showlegend": first and not series.silent,
        "hovertext": [text(one) for one in series.text or ()] or None,
        "hoverinfo": "text" if series.text else "skip" if series.symbol == "none" else "x+y+name",
    }
    if series.style == "bars":
        return _bars(series, shared)
    shared["x"], shared["y"] = _places(series.x), _places(series.y)
    if series.spread:
        shared[f"error_{series.spread_along}"] = _errors(series.spread, series.colour)
    symbol = _SYMBOLS.get(series.symbol, series.symbol)
    size = _SIZES.get(series.symbol, 5 if series.style == "both" else 8)
    return go.Scatter(
        mode=_MODES[series.style],
        line={
            "color": series.colour,
            "width": 1.3 if series.faint else 2,
            "shape": "hv" if series.style == "stairs" else "linear",
        },
        marker={"color": series.colour, "symbol": symbol, "size": size, "opacity": 0 if series.symbol == "none" else 0.9},
        opacity=0.55 if series.faint else 1,
        **shared,
    )


def _bars(series: Series, shared: Mapping[str, Any]) -> Any:
    import plotly.graph_objects as go

    starts = list(series.starts or [0] * len(series.x))
    lengths = [end - start for start, end in zip(starts, series.x, strict=True)]
    marker = {"color": series.colour, "line": {"color": "white", "width": 1}}
    return go.Bar(x=lengths, base=starts, y=_places(series.y), orientation="h", marker=marker, width=0.6, **shared)


def _errors(spread: Sequence[tuple[float, float]], colour: str) -> dict[str, Any]:
    below, above = zip(*spread, strict=True)
    drawn = {"type": "data", "symmetric": False, "arrayminus": below, "array": above}
    return {**drawn, "color": colour, "thickness": 1.2, "width": 3}


def _places(values: Sequence[Any]) -> list[Any]:
    return [text(value) if isinstance(value, str) else value for value in values]


def _levels(drawn: Any, panel: Panel, place: Mapping[str, int]) -> None:
    dashed = {"dash": "dash", "width": 1, "color": "#6b7280"}
    for name, value in panel.levels.items():
        drawn.add_hline(y=value, line=dashed, annotation_text=name, **place)


def _axis(axis: Axis, repeated: bool = False) -> dict[str, Any]:
    drawn: dict[str, Any] = {"title": {"text": "" if repeated else text(axis.title)}}
    if axis.log:
        drawn["type"] = "log"
    if axis.ticks:
        drawn |= {"tickvals": list(axis.ticks), "ticktext": [text(label) for label in axis.ticks.values()]}
    if axis.names:
        drawn["type"] = "category"
    return drawn
