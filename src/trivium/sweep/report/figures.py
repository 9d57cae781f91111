"""What is drawn, said once: series of points with intervals on axes, for a page with scripts and for a picture alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Axis:
    """An axis. `ticks` are positions with their labels, where they are not left to the drawer; `names`: one of categories."""

    title: str
    log: bool = False
    ticks: Mapping[float, str] | None = None
    names: bool = False


@dataclass(frozen=True)
class Series:
    """Marks of one kind. `spread` holds (below, above) of each mark along the axis `spread_along`; `text` tells of each mark.

    `style` is points, line, both (a line through points), stairs, or bars (from `starts` to `x`, across).
    """

    name: str
    x: Sequence[Any]
    y: Sequence[Any]
    colour: str
    style: str = "points"
    spread: Sequence[tuple[float, float]] | None = None
    spread_along: str = "y"
    text: Sequence[str] | None = None
    symbol: str = "circle"
    starts: Sequence[Any] | None = None
    faint: bool = False
    silent: bool = False
    """Not in the legend."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes and what stands in it; `levels` are dashed lines across, by label."""

    x: Axis
    y: Axis
    series: Sequence[Series]
    levels: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """Panels in rows, with one legend. `height` is that of a row, in pixels; `share_y`: one scale across a row."""

    panels: Sequence[Panel]
    height: int = 420
    share_y: bool = False

    @property
    def columns(self) -> int:
        """Panels in a row."""
        return min(len(self.panels), ACROSS)

    @property
    def rows(self) -> int:
        """Rows of panels."""
        return -(-len(self.panels) // self.columns)


ACROSS = 4
"""Panels that fit beside each other."""

COLOURS = {
    "trial": "#2f6f9f",
    "best": "#c4472b",
    "grey": "#9aa3ab",
    "front": "#c4472b",
    "pruned": "#c79a3a",
    "failed": "#7a3b69",
    "base": "#6b7280",
}


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """The shortest ends of dotted keys that still tell them apart.

    >>> short_names(["loss.alpha", "adapter.r", "adapter.lora_alpha"])
    {'loss.alpha': 'alpha', 'adapter.r': 'r', 'adapter.lora_alpha': 'lora_alpha'}
    >>> short_names(["a.weight", "b.weight"])
    {'a.weight': 'a.weight', 'b.weight': 'b.weight'}
    """
    found = {}
    for key in keys:
        parts = key.split(".")
        ends = [".".join(parts[-n:]) for n in range(1, len(parts) + 1)]
        found[key] = next(end for end in ends if sum(k == end or k.endswith(f".{end}") for k in keys) == 1)
    return found
