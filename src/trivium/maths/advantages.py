"""Advantages of groups of completions, and what each reward has to say in them: the formulas that GRPO trainers use.

Rewards are (N, K): N completions in consecutive groups of G, K terms, NaN where a term has no value.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

NORMALIZE_THEN_SUM, SUM_THEN_NORMALIZE = "normalize_then_sum", "sum_then_normalize"
_EPSILON = 1e-4
"""Added to standard deviations, as TRL does."""


class Shares(NamedTuple):
    """What the terms did in one batch: `variance` (K,) are shares of the advantages' variance, which add up to 1 where there
    is any; `zero` (K,) are shares of groups in which a term is the same for all; `collapse` is the share of distinct reward
    vectors of a group that lost their distinction in the advantage.
    """

    variance: Floats
    zero: Floats
    collapse: float


def contributions(rewards: Floats, weights: Floats, group: int, aggregation: str) -> Floats:
    """What each term adds to each completion's advantage (N, K), before that is scaled.

    normalize_then_sum: w (r − mean) / (std + 1e-4) within the group (GDPO, group reward-decoupled normalisation), where a
    missing value adds nothing; sum_then_normalize: w (r − mean) (GRPO, Shao et al. 2024), where it counts as 0 unless all are
    missing, as in the trainer's sum.

    >>> contributions(np.array([[1.0, 0.0], [0.0, 10.0]]), np.array([1.0, 1.0]), 2, "sum_then_normalize").tolist()
    [[0.5, -5.0], [-0.5, 5.0]]
    """
    if aggregation == SUM_THEN_NORMALIZE:
        rewards = np.where(np.isnan(rewards).all(axis=1, keepdims=True), np.nan, np.nan_to_num(rewards))
    grouped = rewards.reshape(-1, group, rewards.shape[1])
    with _empty_allowed():
        centred = grouped - np.nanmean(grouped, axis=1, keepdims=True)
        if aggregation == NORMALIZE_THEN_SUM:
            centred = centred / (np.nanstd(grouped, axis=1, ddof=1, keepdims=True) + _EPSILON)
    return np.asarray(np.nan_to_num(centred.reshape(rewards.shape)) * weights, np.float64)


def advantages(rewards: Floats, weights: Floats, group: int, aggregation: str, scale: str = "group") -> Floats:
    """Advantages (N,) as TRL computes them; a completion without any value gets 0.

    `scale` is group, batch or none and concerns sum_then_normalize; normalize_then_sum is scaled over the batch.
    """
    unscored = np.isnan(rewards).all(axis=1)
    if aggregation == NORMALIZE_THEN_SUM:
        total = contributions(rewards, weights, group, aggregation).sum(axis=1)
        total[unscored] = np.nan
        with _empty_allowed():
            centred, scale = total - np.nanmean(total), "batch"
    else:
        total = np.nansum(rewards * weights, axis=1)
        total[unscored] = np.nan
        with _empty_allowed():
            centred = (total.reshape(-1, group) - np.nanmean(total.reshape(-1, group), axis=1, keepdims=True)).ravel()
    return np.asarray(np.nan_to_num(centred / _spread(total, group, scale)), np.float64)


def shares(rewards: Floats, weights: Floats, group: int, aggregation: str, scale: str = "group") -> Shares:
    """What the terms did in one batch; the options are those of `advantages`."""
    parts = contributions(rewards, weights, group, aggregation)
    collapse = _collapse(rewards, parts.sum(axis=1), group)
    if aggregation == SUM_THEN_NORMALIZE:
        known = np.where(np.isnan(rewards).all(axis=1), np.nan, parts.sum(axis=1))
        parts = np.nan_to_num(parts / _spread(known, group, scale)[:, None])
    total = parts.sum(axis=1)
    variance = float(((total - total.mean()) ** 2).sum())
    covariance = ((parts - parts.mean(axis=0)) * (total - total.mean())[:, None]).sum(axis=0)
    grouped = rewards.reshape(-1, group, rewards.shape[1])
    with _empty_allowed():
        flat = ~(np.nanmax(grouped, axis=1) - np.nanmin(grouped, axis=1) > 1e-12)
    return Shares(
        covariance / variance if variance > 1e-12 else np.zeros(len(weights)),
        flat.mean(axis=0),
        collapse,
    )


def _collapse(rewards: Floats, total: Floats, group: int) -> float:
    lost = distinct = 0
    for start in range(0, len(rewards), group):
        vectors = len(np.unique(np.nan_to_num(rewards[start : start + group], nan=-9.0), axis=0))
        found = len(np.unique(total[start : start + group].round(6)))
        lost, distinct = lost + max(0, vectors - found), distinct + vectors
    return lost / max(1, distinct)


def _spread(total: Floats, group: int, scale: str) -> Floats:
    if scale == "none":
        return np.ones_like(total)
    with _empty_allowed():
        if scale == "batch":
            return np.full_like(total, np.nanstd(total, ddof=1)) + _EPSILON
        return np.repeat(np.nanstd(total.reshape(-1, group), axis=1, ddof=1), group) + _EPSILON


@contextmanager
def _empty_allowed() -> Iterator[None]:
    """A group in which a term has no value has no mean, which is no fault."""
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        yield
