"""Rebalancing: which mid- and high-authority samples go, so that every band's share lies in its range; and whether it does."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trivium.schema import BANDS, RebalanceConfig

Counts = dict[str, int]
Ranges = dict[str, list[float]]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ROUNDING = 1e-9
BLOCK = 1 << 16


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
    """The largest choice that keeps all of low and has every share in its range; else the one that misses them least.

    Misses are added over the bands; of choices that miss alike the largest is taken. Exact: every total is tried.

    >>> choose({"low": 30, "mid": 40, "high": 200}, RebalanceConfig()).kept
    {'low': 30, 'mid': 40, 'high': 46}
    """
    ranges: Ranges = {"low": targets.low, "mid": targets.mid, "high": targets.high}
    best, kept = math.inf, counts
    for top in range(sum(counts.values()), counts["low"] - 1, -BLOCK):
        totals = np.arange(top, max(counts["low"] - 1, top - BLOCK), -1)
        found, mid, total = _best(totals, counts, ranges)
        if found < best - ROUNDING:
            best, kept = found, {"low": counts["low"], "mid": mid, "high": total - counts["low"] - mid}
        if best <= ROUNDING:
            break
    return outcome(counts, kept, targets)


def outcome(counts: Counts, kept: Counts, targets: RebalanceConfig) -> Outcome:
    """What a choice has reached, from the counts alone."""
    ranges: Ranges = {"low": targets.low, "mid": targets.mid, "high": targets.high}
    after = shares(kept)
    missed = {b: _outside(after[b], ranges[b]) for b in BANDS}
    missed = {b: round(by, 6) for b, by in missed.items() if abs(by) > ROUNDING}
    reason = "; ".join(_why(b, by, counts, kept, ranges) for b, by in missed.items())
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


def _best(totals: Ints, counts: Counts, ranges: Ranges) -> tuple[float, int, int]:
    """The least miss over some totals (descending), with its mid count and total.

    For a given total the miss is piecewise linear in the mid count, so that it is least where a share meets a bound.
    """
    rest = totals - counts["low"]
    least, most = np.maximum(0, rest - counts["high"]), np.minimum(counts["mid"], rest)
    bounds = [np.ceil(ranges["mid"][0] * totals - ROUNDING), np.floor(ranges["mid"][1] * totals + ROUNDING)]
    bounds += [rest - np.floor(ranges["high"][1] * totals + ROUNDING), rest - np.ceil(ranges["high"][0] * totals - ROUNDING)]
    best = (math.inf, 0, 0)
    options = [np.clip(bound, least, most).astype(np.int64) for bound in bounds]
    misses = np.stack([_miss(totals, mid, counts["low"], ranges) for mid in options])
    column = int(np.argmin(np.round(misses.min(axis=0), 9)))
    row = int(np.argmin(misses[:, column]))
    best = (float(misses[row, column]), int(options[row][column]), int(totals[column]))
    return best


def _miss(totals: Ints, mid: Ints, low: int, ranges: Ranges) -> Floats:
    """How far the shares lie outside their ranges, added over the bands (T,)."""
    size = np.maximum(1, totals)
    found = {"low": low / size, "mid": mid / size, "high": (totals - low - mid) / size}
    parts = [np.maximum(0.0, np.maximum(ranges[b][0] - found[b], found[b] - ranges[b][1])) for b in BANDS]
    return np.where(totals > 0, np.add.reduce(parts), math.inf)


def _outside(share: float, allowed: list[float]) -> float:
    """How far a share lies below (negative) or above its range."""
    return min(0.0, share - allowed[0]) + max(0.0, share - allowed[1])


def _why(name: str, by: float, counts: Counts, kept: Counts, ranges: Ranges) -> str:
    least, most = ranges[name]
    share = shares(kept)[name]
    said = f"{name} is {share:.1%}, wanted {least:.0%} to {most:.0%} ({abs(by):.1%} too {'little' if by < 0 else 'much'}"
    if by < 0 and kept[name] == counts[name]:
        return f"{said}: all {counts[name]} there are were kept)"
    if by > 0 and name == "low":
        return f"{said}: low authority is never dropped, and mid and high are too few)"
    return f"{said}: the other bands are too few to balance it)"
