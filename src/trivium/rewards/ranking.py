"""How well a reward ranks genuine answers above attacks: areas under the curve, violations, shares of variance."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from trivium.maths.advantages import SUM_THEN_NORMALIZE, contributions
from trivium.maths.statistics import Estimate, bootstrap

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

BOOTSTRAP, CONFIDENCE = 500, 0.95


def auc(genuine: Sequence[Floats], attacks: Sequence[Floats], seed: int) -> Estimate | None:
    """The chance that a genuine answer is worth more than an attack, a tie counting half, with its 95 % interval.

    Both hold one array of values for each of the same questions, and the interval is that of resampled questions. Missing
    values (NaN) are left out, and so are questions without a value on either side; None where no question is left.

    >>> auc([np.array([1.0])] * 3, [np.array([0.0, 1.0])] * 3, 0)
    Estimate(value=0.75, low=0.75, high=0.75)
    """
    pairs = [(_known(g), _known(a)) for g, a in zip(genuine, attacks, strict=True)]
    pairs = [(g, a) for g, a in pairs if len(g) and len(a)]
    if not pairs:
        return None
    wins = np.array([[_wins(g, a) for _, a in pairs] for g, _ in pairs])
    sizes = np.array([[len(g), len(a)] for g, a in pairs], np.float64)

    def area(shares: Floats) -> Floats:
        """From the share of each question in a resample (…, Q)."""
        held = shares @ sizes
        found = ((shares @ wins) * shares).sum(-1) / (held[..., 0] * held[..., 1])
        return np.asarray(np.round(found, 12), np.float64)

    return bootstrap(np.eye(len(pairs)), area, BOOTSTRAP, CONFIDENCE, seed)


def violations(genuine: Sequence[Floats], attacks: Sequence[Floats]) -> float | None:
    """The share of pairs of one question in which the attack is worth at least as much as the genuine answer.

    >>> violations([np.array([1.0])], [np.array([0.0, 1.0])])
    0.5
    """
    lost = [_known(a)[None, :] >= _known(g)[:, None] for g, a in zip(genuine, attacks, strict=True)]
    count = sum(pairs.size for pairs in lost)
    return float(sum(pairs.sum() for pairs in lost) / count) if count else None


def variance_shares(values: Floats, weights: Floats, questions: Ints) -> Floats:
    """The share (K,) of each term in the variance of the total within questions; `values` is (N, K), `questions` (N,).

    The covariance of a term's part of the total with the total, over the total's variance: the shares add up to 1, and a term
    that works against the others has a negative one. Zeros where the total does not vary.
    """
    parts = np.zeros_like(values)
    for question in np.unique(questions):
        rows = questions == question
        parts[rows] = contributions(values[rows], weights, int(rows.sum()), SUM_THEN_NORMALIZE)
    total = parts.sum(axis=1)
    variance = float((total**2).sum())
    return np.asarray(parts.T @ total / variance if variance > 1e-12 else np.zeros(len(weights)), np.float64)


def median(values: Floats) -> float | None:
    """The median of the values that are there."""
    known = _known(values)
    return float(np.median(known)) if len(known) else None


def _known(values: Floats) -> Floats:
    return values[~np.isnan(values)]


def _wins(genuine: Floats, attacks: Floats) -> float:
    above = genuine[:, None] - attacks[None, :]
    return float((above > 0).sum() + 0.5 * (above == 0).sum())
