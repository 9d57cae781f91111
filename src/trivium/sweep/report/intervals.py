"""Figures with their intervals as a report shows them."""

from trivium.maths.statistics import Estimate


def shown(estimate: Estimate, digits: int = 3) -> str:
    """`0.904 [0.871, 0.932]`, or the figure alone where there is no interval.

    >>> shown(Estimate(0.5, 0.25, 0.75))
    '0.500 [0.250, 0.750]'
    """
    figure = compact(estimate.value, digits)
    if not has_interval(estimate):
        return figure
    return f"{figure} [{compact(estimate.low, digits)}, {compact(estimate.high, digits)}]"


def compact(value: float, digits: int = 3) -> str:
    """A figure with as many decimals as it needs: fewer from 10 on, the short form far from 1."""
    size = abs(value)
    if size and (size < 10**-digits or size >= 1e6):
        return f"{value:.{digits}g}"
    return f"{value:.{digits if size < 10 else max(0, digits - 2)}f}"


def has_interval(estimate: Estimate) -> bool:
    """Whether there is more than the figure."""
    return estimate.high > estimate.low
