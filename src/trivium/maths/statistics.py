"""Intervals: percentiles over seeded resamples of items (bootstrap, Efron 1979), and Student's t over few seeds."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_BLOCK = 4_000_000
"""Resampled values held at once (32 MB)."""


class Estimate(NamedTuple):
    """A figure and its interval; with a single item the interval is the figure itself."""

    value: float
    low: float
    high: float


def bootstrap(columns: Floats, statistic: Callable[[Floats], Floats], samples: int, confidence: float, seed: int) -> Estimate:
    """The statistic of N items and its percentile interval under resampling of items.

    `columns` is (N, K); `statistic` maps column means (…, K) to figures (…), so that ratios of sums are resampled together.
    The interval always contains the figure. Raises ValueError for no items.

    >>> bootstrap(np.array([[0.0], [1.0]] * 50), lambda m: m[..., 0], 500, 0.95, 0).value
    0.5
    """
    if not len(columns):
        raise ValueError("an interval needs at least one item")
    figure = float(statistic(columns.mean(0)))
    resampled = statistic(resampled_means(columns, samples, seed))
    low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(figure, min(float(low), figure), max(float(high), figure))


def mean(values: npt.ArrayLike, samples: int, confidence: float, seed: int) -> Estimate:
    """The mean of values (N,).

    >>> mean([0.3, 0.3, 0.3], 100, 0.95, 0)
    Estimate(value=0.3, low=0.3, high=0.3)
    """
    return bootstrap(np.asarray(values, np.float64)[:, None], lambda m: m[..., 0], samples, confidence, seed)


def difference(a: npt.ArrayLike, b: npt.ArrayLike, samples: int, confidence: float, seed: int) -> Estimate:
    """The mean of a − b of the same N items, resampled in pairs."""
    return mean(np.asarray(a, np.float64) - np.asarray(b, np.float64), samples, confidence, seed)


def t_interval(values: npt.ArrayLike, confidence: float = 0.95) -> Estimate:
    """The mean of few independent values (N,), such as one for each seed, and Student's t interval around it.

    One value has no interval but itself.

    >>> [round(x, 3) for x in t_interval([0.4, 0.5, 0.6])]
    [0.5, 0.252, 0.748]
    """
    from scipy.stats import t  # type: ignore[import-untyped]

    found = np.asarray(values, np.float64)
    middle = float(found.mean())
    if len(found) < 2:
        return Estimate(middle, middle, middle)
    half = float(t.ppf((1 + confidence) / 2, len(found) - 1) * found.std(ddof=1) / np.sqrt(len(found)))
    return Estimate(middle, middle - half, middle + half)


def resampled_means(columns: Floats, samples: int, seed: int) -> Floats:
    """Column means (samples, K) of N items drawn with replacement, as multinomial counts times the columns."""
    rng = np.random.default_rng(seed)
    count = len(columns)
    block = max(1, _BLOCK // count)
    parts = [
        rng.multinomial(count, np.full(count, 1 / count), size=min(block, samples - start)) @ columns / count
        for start in range(0, samples, block)
    ]
    return np.concatenate(parts)
