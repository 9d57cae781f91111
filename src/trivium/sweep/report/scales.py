"""Axes for parameters: numbers, numbers over decades, zero among them, and categories."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from trivium.sweep.report.figures import Axis

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

DECADES = 30
"""How many times the smallest number the largest must be, for an axis to count decades."""
_LONGEST = 20
_GAP = 0.5
"""Decades between zero and the smallest number above it."""


def numbers(distribution: "BaseDistribution") -> bool:
    """Whether a parameter has an order and distances."""
    choices = getattr(distribution, "choices", None)
    return choices is None or all(isinstance(one, int | float) and not isinstance(one, bool) for one in choices)


def axis(title: str, distribution: "BaseDistribution", values: Sequence[Any]) -> tuple[Axis, Callable[[Any], Any]]:
    """The axis on which a parameter reads best, and where a value stands on it."""
    if not numbers(distribution):
        return Axis(title, names=True), named
    found = sorted({float(value) for value in values})
    if not found or not _over_decades(distribution, found):
        return Axis(title), float
    if found[0] > 0:
        return Axis(title, log=True, ticks=_labels(math.log10(found[0]), math.log10(found[-1]))), float
    return _with_zero(title, found)


def named(value: Any) -> str:
    """A category, cut to what an axis holds."""
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _over_decades(distribution: "BaseDistribution", found: Sequence[float]) -> bool:
    """Logarithmic spaces, and numbers that crowd at the low end of a wide range; never negative ones."""
    if getattr(distribution, "log", False):
        return True
    above = [value for value in found if value > 0]
    if found[0] < 0 or len(above) < 3 or above[-1] < DECADES * above[0]:
        return False
    return above[len(above) // 2] < above[-1] / 4


def _with_zero(title: str, found: Sequence[float]) -> tuple[Axis, Callable[[Any], float]]:
    """Decades, and zero half a decade left of the smallest number."""
    above = [value for value in found if value > 0]
    low = math.log10(above[0])
    zero = low - _GAP

    def place(value: Any) -> float:
        return math.log10(value) if value > 0 else zero

    ticks = _labels(low, math.log10(above[-1])) or {}
    return Axis(title, ticks={zero: "0", **{math.log10(value): label for value, label in ticks.items()}}), place


def _labels(low: float, high: float) -> dict[float, str] | None:
    """Round numbers within a range of decades, fewer of each the more decades there are; None for less than two."""
    steps = (1, 2, 5) if high - low < 1.5 else (1, 3) if high - low < 3 else (1,)
    decades = range(math.floor(low), math.ceil(high) + 1)
    found = [s * 10.0**d for d in decades for s in steps if low - 0.05 <= math.log10(s * 10.0**d) <= high + 0.05]
    return {value: f"{value:g}" for value in found} if len(found) > 1 else None
