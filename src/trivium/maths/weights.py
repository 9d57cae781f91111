"""From provenance to sample weights: the formulas that every backend reproduces, in numpy.

Authority `a` lies in [0, 0.99]; provenance entropy `H` is in bits. A weight multiplies the negative log-likelihood of each
supervised token of a sample; the weighted sum is divided by the number of supervised tokens, never by the sum of weights.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trivium.errors import DataError
from trivium.sample import band
from trivium.schema import BANDS, DistrustLoss, DistrustPublishedLoss, DistrustSampledLoss, UniformLoss

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Column = Floats | Sequence[float | None]
"""N values; None stands for a missing one."""


class Policy(NamedTuple):
    """What a loss does to each sample.

    `weights` (N,) multiply the token losses, `probabilities` (N,) is set when samples are drawn instead, `offsets` (N,) are
    nats added to the loss of each token, and `notice` is a sentence worth showing before training, or empty.
    """

    weights: Floats
    probabilities: Floats | None = None
    offsets: Floats | None = None
    notice: str = ""


def policy(loss: object, authority: Column, entropy: Column) -> Policy:
    """Weights, probabilities and offsets of N samples under a loss configuration.

    Raises `DataError` when a value that the loss needs is missing, not finite or out of range.

    >>> from trivium.schema import DistrustLoss
    >>> policy(DistrustLoss(alpha=1.0), [0.0, 0.5], [2.0, 1.0]).weights.tolist()
    [1.5, 0.5]
    """
    if isinstance(loss, UniformLoss):
        return Policy(np.ones(len(authority)))
    a, h = _checked(authority, entropy)
    return _POLICIES[type(loss)](loss, a, h)


def distrust_scores(authority: Column, entropy: Column, unit: str = "bits") -> Floats:
    """d = max(0, H + log(1 − a)), both terms in `unit` (bits or nats): how much a source is worth distrusting authority for.

    >>> distrust_scores([0.5, 0.75], [3.0, 1.0]).tolist()
    [2.0, 0.0]
    """
    a, h = (np.array(column, np.float64) for column in (authority, entropy))
    bits = np.maximum(0.0, h + np.log2(1.0 - a))
    return bits * np.log(2.0) if unit == "nats" else bits


def distrust_weights(
    authority: Column,
    entropy: Column,
    alpha: float = 2.7,
    unit: str = "bits",
    max_ratio: float | None = None,
) -> Floats:
    """w = (1 + αs) / (1 + α) with s = d² / mean d²; the mean weight is 1 for every α.

    `s` has no unit, so bits and nats give the same weights as long as both terms of `d` share one. All weights are 1 when
    α = 0 and when every d is 0. `max_ratio` caps the largest weight at that multiple of the smallest, keeping the mean at 1.

    >>> distrust_weights([0.0, 0.5, 0.9], [2.0, 1.0, 0.0], alpha=3.0).round(3).tolist()
    [2.5, 0.25, 0.25]
    >>> distrust_weights([0.0, 0.5, 0.9], [2.0, 1.0, 0.0], alpha=3.0, max_ratio=4.0).round(3).tolist()
    [2.0, 0.5, 0.5]
    """
    a, h = _checked(authority, entropy)
    squares = distrust_scores(a, h, unit) ** 2
    mean = squares.mean() if squares.size else 0.0
    if mean == 0.0:
        return np.ones_like(a)
    weights: Floats = (1.0 + alpha * squares / mean) / (1.0 + alpha)
    if max_ratio is not None:
        weights = np.minimum(weights, weights.min() * max_ratio)
        weights = weights / weights.mean()
    return weights


def published_term(authority: Column, entropy: Column, alpha: float = 2.7, lambda_weight: float = 1.0) -> Floats:
    """λ·α·(ln(1 − a + 1e-8) + H)², Roemmele's published form, which adds nats to bits; (N,), a constant of the data.

    >>> published_term([0.05], [7.0], alpha=2.7).round(1).tolist()
    [130.4]
    """
    a, h = _checked(authority, entropy)
    term: Floats = lambda_weight * alpha * (np.log(1.0 - a + 1e-8) + h) ** 2
    return term


def sampling_probabilities(weights: Floats) -> Floats:
    """Probabilities (N,) proportional to the weights.

    >>> sampling_probabilities(np.array([3.0, 1.0])).tolist()
    [0.75, 0.25]
    """
    probabilities: Floats = weights / weights.sum()
    return probabilities


def draw(probabilities: Floats, size: int, seed: int) -> Ints:
    """Indices (size,) drawn in proportion to probabilities by systematic sampling, then shuffled.

    Sample i is drawn floor(size·p_i) or ceil(size·p_i) times: no more noise than a whole number forces.

    >>> np.bincount(draw(np.array([0.75, 0.25]), size=8, seed=0)).tolist()
    [6, 2]
    """
    rng = np.random.default_rng(seed)
    edges = np.cumsum(probabilities)
    points = (np.arange(size) + rng.random()) / size
    indices = np.minimum(np.searchsorted(edges / edges[-1], points, side="right"), len(probabilities) - 1)
    return rng.permutation(indices).astype(np.int64)


def order(count: int, size: int, seed: int) -> Ints:
    """The first `size` places of seeded permutations of `count` samples, one after another.

    >>> sorted(order(3, 6, seed=1).tolist())
    [0, 0, 1, 1, 2, 2]
    """
    rng = np.random.default_rng(seed)
    rounds = [rng.permutation(count) for _ in range(-(-size // count))]
    return np.concatenate(rounds)[:size].astype(np.int64) if rounds else np.empty(0, np.int64)


def effective_fraction(weights: Floats) -> float:
    """Kish's effective sample size (Σw)² / Σw², as a share of the number of samples; 0 for no samples.

    >>> effective_fraction(np.array([1.0, 1.0, 0.0, 0.0]))
    0.5
    """
    squares = float((weights**2).sum())
    return float(weights.sum() ** 2 / squares / len(weights)) if squares > 0 else 0.0


def weight_report(weights: npt.ArrayLike, authority: npt.ArrayLike, tokens: npt.ArrayLike | None = None) -> dict[str, float]:
    """How the weights spread: effective sample size, share of the loss mass per authority band, largest ratio.

    The mass of a sample is its weight times its supervised `tokens` (1 each when not given). A band without samples has
    share and effective size 0.
    """
    w = np.asarray(weights, np.float64)
    mass = w if tokens is None else w * np.asarray(tokens, np.float64)
    bands = np.array([band(float(a)) for a in np.asarray(authority, np.float64)])
    total = float(mass.sum())
    report = {
        "weights/ess_fraction": effective_fraction(w),
        "weights/max_ratio": float(w.max() / w.min()) if len(w) and w.min() > 0 else float("inf"),
    }
    for name in BANDS:
        inside = bands == name
        report[f"weights/share_{name}"] = float(mass[inside].sum() / total) if total > 0 else 0.0
        report[f"weights/ess_{name}"] = effective_fraction(w[inside])
    return report


def _distrust(loss: DistrustLoss, authority: Floats, entropy: Floats) -> Policy:
    weights = distrust_weights(authority, entropy, loss.alpha, loss.unit, loss.max_ratio)
    notice = ""
    if not distrust_scores(authority, entropy).any():
        notice = (
            "no training sample has H + log2(1 − a) above 0, so every weight is 1 and loss.name=distrust trains exactly "
            "like uniform; look at the provenance scores of the data."
        )
    return Policy(weights, notice=notice)


def _sampled(loss: DistrustSampledLoss, authority: Floats, entropy: Floats) -> Policy:
    weighted = _distrust(loss, authority, entropy)
    notice = weighted.notice.replace("distrust trains", "distrust_sampled trains")
    return Policy(np.ones_like(authority), sampling_probabilities(weighted.weights), notice=notice)


def _published(loss: DistrustPublishedLoss, authority: Floats, entropy: Floats) -> Policy:
    offsets = published_term(authority, entropy, loss.alpha, loss.lambda_weight)
    notice = (
        "loss=distrust_published adds a constant of the data to the cross-entropy: its gradient is zero, so the weights "
        "trained are those of loss=uniform; it is here as a control (loss=distrust has an effect)."
    )
    return Policy(np.ones_like(authority), offsets=offsets, notice=notice)


_POLICIES: dict[type, Callable[[Any, Floats, Floats], Policy]] = {
    DistrustLoss: _distrust,
    DistrustSampledLoss: _sampled,
    DistrustPublishedLoss: _published,
}


def _checked(authority: Column, entropy: Column) -> tuple[Floats, Floats]:
    """Both as float64 arrays of one length, every value finite and in range."""
    a, h = (np.array(column, np.float64) for column in (authority, entropy))
    if a.shape != h.shape:
        raise DataError(f"{a.size} authorities but {h.size} entropies; every sample needs one of each.")
    _refuse(~np.isfinite(a), "an authority that is missing or not finite", "prepare the data again")
    _refuse(~np.isfinite(h), "an entropy that is missing or not finite", "prepare the data again")
    _refuse((a < 0) | (a > 0.99), "an authority outside [0, 0.99]", "correct the column or let the scorer find it")
    _refuse(h < 0, "a negative entropy", "an entropy in bits is 0 or more; correct the column")
    return a, h


def _refuse(bad: npt.NDArray[np.bool_], what: str, way_out: str) -> None:
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise DataError(f"{int(bad.sum())} of {bad.size} samples have {what} (first: row {first}); {way_out}.")
