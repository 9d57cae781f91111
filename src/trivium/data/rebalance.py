"""Rebalancing: which mid- and high-authority samples go, so that every band's share lies in its range; and whether it does."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trivium.schema import BANDS, RebalanceConfig

Counts = dict[str, int]
Ranges = dict[str, list[float]]
Ints = npt.NDArray[np.int64]

ROUNDING = 1e-9


class Outcome(NamedTuple):
    """How many of each band are kept of how many; the shares before and after; how far a share lies outside its range.

    `reached` says whether none does; `reason` why one does.
    """

    kept: Counts
    given: Counts
    before: dict[str, float]
    after: dict[str, float]
    missed: dict[str, float]
    reached: bool
    reason: str


def choose(counts: Counts, targets: RebalanceConfig) -> Outcome:
    """The largest choice that keeps all of low and has every share in its range.

    Where there is none, all samples are kept: data thrown away would not make the distribution right. Exact: every total
    is tried.

    >>> choose({"low": 30, "mid": 40, "high": 200}, RebalanceConfig()).kept
    {'low': 30, 'mid': 40, 'high': 46}
    """
    low, totals = counts["low"], np.arange(sum(counts.values()), 0, -1)
    rest = totals - low
    low_share = np.clip(low / totals, targets.low[0] - ROUNDING, targets.low[1] + ROUNDING) == low / totals
    least_mid = np.maximum(_ceil(targets.mid[0] * totals), rest - np.minimum(counts["high"], _floor(targets.high[1] * totals)))
    most_mid = np.minimum(np.minimum(counts["mid"], _floor(targets.mid[1] * totals)), rest - _ceil(targets.high[0] * totals))
    possible = np.flatnonzero(low_share & (np.maximum(least_mid, 0) <= most_mid))
    if not len(possible):
        return outcome(counts, counts, targets)
    mid = int(most_mid[possible[0]])
    return outcome(counts, {"low": low, "mid": mid, "high": int(rest[possible[0]]) - mid}, targets)


def outcome(counts: Counts, kept: Counts, targets: RebalanceConfig) -> Outcome:
    """What a choice has reached, from the counts alone."""
    ranges: Ranges = {"low": targets.low, "mid": targets.mid, "high": targets.high}
    after = shares(kept)
    missed = {b: _outside(after[b], ranges[b]) for b in BANDS}
    missed = {b: round(by, 6) for b, by in missed.items() if abs(by) > ROUNDING}
    reason = "; ".join(_why(b, kept, ranges) for b in missed)
    return Outcome(kept, counts, shares(counts), after, missed, not missed and sum(kept.values()) > 0, reason)


def pick(bands: npt.NDArray[np.uint8], kept: Counts, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """A mask (N,) that keeps that many of each band, drawn at random; `bands` (N,) holds indices into `BANDS`."""
    mask = np.zeros(len(bands), np.bool_)
    for code, name in enumerate(BANDS):
        members = np.flatnonzero(bands == code)
        mask[rng.choice(members, kept[name], replace=False)] = True
    return mask


def shares(counts: Counts) -> dict[str, float]:
    """Counts as shares; zeros when there is nothing."""
    total = sum(counts.values())
    return {name: counts[name] / total if total else 0.0 for name in BANDS}


def _ceil(values: npt.NDArray[Any]) -> Ints:
    return np.ceil(values - ROUNDING).astype(np.int64)


def _floor(values: npt.NDArray[Any]) -> Ints:
    return np.floor(values + ROUNDING).astype(np.int64)


def _outside(share: float, allowed: list[float]) -> float:
    """How far a share lies below (negative) or above its range."""
    return min(0.0, share - allowed[0]) + max(0.0, share - allowed[1])


def _why(name: str, kept: Counts, ranges: Ranges) -> str:
    least, most = ranges[name]
    share = shares(kept)[name]
    return f"{name} is {share:.1%} ({kept[name]} of {sum(kept.values())}), wanted {least:.0%} to {most:.0%}"
