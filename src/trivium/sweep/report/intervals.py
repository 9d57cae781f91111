"""Intervals of means over a few trainings, which are too few to be resampled."""

from collections.abc import Sequence

from trivium.maths.statistics import Estimate

CONFIDENCE = 0.95


def t_interval(values: Sequence[float]) -> Estimate:
    """The mean of independent values and Student's interval of it; a single value has no interval but itself.

    >>> mean, low, high = t_interval([0.4, 0.5, 0.6])
    >>> round(mean, 3), round(low, 3), round(high, 3)
    (0.5, 0.252, 0.748)
    """
    import numpy as np
    from scipy.stats import t  # type: ignore[import-untyped]

    array = np.asarray(values, np.float64)
    mean = float(array.mean())
    if len(array) < 2:
        return Estimate(mean, mean, mean)
    half = float(t.ppf((1 + CONFIDENCE) / 2, len(array) - 1) * array.std(ddof=1) / np.sqrt(len(array)))
    return Estimate(mean, mean - half, mean + half)


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
