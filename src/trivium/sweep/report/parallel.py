"""Parallel coordinates as a picture: an axis for each parameter and one for the objective, a line for each trial."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trivium.sweep.report import still
from trivium.sweep.report.curves import Scene
from trivium.sweep.report.figures import Axis, short_names
from trivium.sweep.report.intervals import compact
from trivium.sweep.report.scales import axis

Column = tuple[str, list[float], dict[float, str]]
"""An axis: its name, where each trial crosses it (0 to 1), and its labels by place."""


def save(scene: Scene, path: Path) -> None:
    """Write the picture; the darker a line, the better its trial."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    rows = [row for row in scene.complete if row.params.keys() >= scene.facts.distributions.keys()]
    reached = [row.values[scene.index].value for row in rows]
    names = short_names(list(scene.facts.distributions))
    columns = [_column(Axis(scene.metric), reached)]
    for key, distribution in scene.facts.distributions.items():
        scale, place = axis(names[key], distribution, [row.params[key] for row in rows])
        columns.append(_column(scale, [place(row.params[key]) for row in rows]))
    canvas = Canvas(figsize=(max(still.WIDTH, 2.0 * len(columns)), 4.2), layout="constrained")
    FigureCanvasAgg(canvas)
    spot = canvas.subplots()
    good = np.array(columns[0][1]) if scene.maximised else 1 - np.array(columns[0][1])
    for i in np.argsort(good):
        spot.plot([column[1][i] for column in columns], color=colormaps["Blues"](0.25 + 0.75 * good[i]), linewidth=1.4)
    _axes(spot, columns)
    canvas.savefig(path, dpi=still.DPI)


def _column(scale: Axis, values: Sequence[Any]) -> Column:
    """Places of values between the lowest and the highest; categories stand at equal distances."""
    if scale.names:
        order = {name: float(i) for i, name in enumerate(dict.fromkeys(values))}
        return _spread(scale.title, [order[value] for value in values], {place: name for name, place in order.items()})
    if scale.log:
        ticks = {float(np.log10(value)): label for value, label in (scale.ticks or {}).items()}
        return _spread(scale.title, [float(np.log10(value)) for value in values], ticks)
    return _spread(scale.title, list(values), dict(scale.ticks or {}))


def _spread(title: str, values: Sequence[float], ticks: dict[float, str]) -> Column:
    low, high = min(values), max(values)
    width = (high - low) or 1.0
    ticks = ticks or {value: compact(value) for value in np.linspace(low, high, 5).tolist()}
    labels = {(value - low) / width: label for value, label in ticks.items()}
    return title, [(value - low) / width for value in values], labels


def _axes(spot: Any, columns: Sequence[Column]) -> None:
    halo = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
    for i, (_, _, labels) in enumerate(columns):
        spot.axvline(i, color="#5b6670", linewidth=0.9)
        for place, label in labels.items():
            spot.text(i + 0.03, place, still.plain(label), fontsize=8, va="center", bbox=halo)
    spot.set_xticks(range(len(columns)), [still.plain(title) for title, _, _ in columns])
    spot.set_yticks([])
    spot.set_xlim(-0.1, len(columns) - 0.6)
    for side in spot.spines.values():
        side.set_visible(False)
