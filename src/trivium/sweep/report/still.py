"""Figures as matplotlib draws them: pictures that need no browser."""

from pathlib import Path
from typing import Any

from trivium.sweep.report.figures import Axis, Figure, Panel, Series

DPI = 130
_MARKERS = {"circle": "o", "star": "*", "cross": "x", "none": "", "square": "s", "diamond": "D"}
WIDTH = 8.4
_INCH = 100.0
"""Pixels of a figure's height that make an inch."""


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    size = (max(WIDTH, 2.9 * figure.columns), figure.height * figure.rows / _INCH)
    canvas = Canvas(figsize=size, layout="constrained")
    FigureCanvasAgg(canvas)
    spots = list(canvas.subplots(figure.rows, figure.columns, sharey=figure.share_y, squeeze=False).flat)
    for i, (spot, panel) in enumerate(zip(spots, figure.panels, strict=False)):
        _panel(spot, panel, figure.share_y and i % figure.columns > 0)
    for spot in spots[len(figure.panels) :]:
        spot.set_axis_off()
    _legend(canvas, spots)
    canvas.savefig(path, dpi=DPI)


def styled(spot: Any) -> None:
    """The looks that all pictures share."""
    spot.grid(True, color="#e5e8eb", linewidth=0.8)
    spot.set_axisbelow(True)
    for side in ("top", "right"):
        spot.spines[side].set_visible(False)


def plain(words: Any) -> str:
    """Words that matplotlib does not read as a formula."""
    return str(words).replace("$", r"\$")


def _panel(spot: Any, panel: Panel, repeated: bool) -> None:
    styled(spot)
    for series in panel.series:
        _series(spot, series)
    for name, value in panel.levels.items():
        spot.axhline(value, color="#6b7280", linestyle="--", linewidth=0.9)
        spot.annotate(
            name, (1, value), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8, color="#6b7280"
        )
    _axis(spot, panel.x, "x")
    _axis(spot, panel.y, "y")
    if repeated:
        spot.set_ylabel("")


def _series(spot: Any, series: Series) -> None:
    x, y = ([plain(one) if isinstance(one, str) else one for one in values] for values in (series.x, series.y))
    alpha = 0.55 if series.faint else 0.9
    if series.style == "bars":
        starts = list(series.starts or [0] * len(x))
        lengths = [end - start for start, end in zip(starts, x, strict=True)]
        spot.barh(y, lengths, left=starts, color=series.colour, height=0.6, edgecolor="white", label=series.name)
        return
    if series.style == "stairs":
        spot.step(x, y, where="post", color=series.colour, label=series.name)
        return
    line = "-" if series.style in ("line", "both") else ""
    marker = "" if series.style == "line" else _MARKERS[series.symbol]
    size = 3 if series.style == "both" else 10 if series.symbol == "star" else 5
    label = "_" if series.silent else series.name
    marks = {"marker": marker, "markersize": size, "color": series.colour, "alpha": alpha, "label": label, "linewidth": 1.3}
    if series.spread:
        errors = {f"{series.spread_along}err": list(zip(*series.spread, strict=True))}
        spot.errorbar(x, y, linestyle=line or "none", capsize=2, elinewidth=1, **errors, **marks)
    else:
        spot.plot(x, y, linestyle=line or "none", **marks)


def _axis(spot: Any, axis: Axis, letter: str) -> None:
    getattr(spot, f"set_{letter}label")(plain(axis.title))
    if axis.log:
        getattr(spot, f"set_{letter}scale")("log")
    if axis.ticks:
        getattr(spot, f"set_{letter}ticks")([], minor=True)
        getattr(spot, f"set_{letter}ticks")(list(axis.ticks), list(axis.ticks.values()))
    if axis.names and letter == "x":
        spot.tick_params(axis="x", labelrotation=20)


def _legend(canvas: Any, spots: Any) -> None:
    handles = {label: handle for spot in spots for handle, label in zip(*spot.get_legend_handles_labels(), strict=True)}
    if len(handles) > 1:
        canvas.legend(handles.values(), handles.keys(), loc="outside upper left", ncols=4, frameon=False, fontsize=9)


def keep(spots: Any, path: Path, across: int) -> None:
    """Write what Optuna drew, which is one pair of axes or a square of them, and let go of it."""
    from matplotlib import pyplot, ticker

    canvas = (spots if not hasattr(spots, "flat") else spots.flat[0]).figure
    canvas.set_size_inches(max(WIDTH, 3.2 * across), max(4.4, 2.6 * across))
    canvas.suptitle("")
    for spot in canvas.axes:
        spot.set_title("")
        spot.set_facecolor("white")
        for side in (spot.xaxis, spot.yaxis):
            side.set_minor_formatter(ticker.NullFormatter())
        if across > 1:
            spot.tick_params(axis="x", labelrotation=20)
    canvas.savefig(path, dpi=DPI if across < 3 else 90, bbox_inches="tight")
    pyplot.close(canvas)
