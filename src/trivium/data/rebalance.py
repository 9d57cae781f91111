"""Rebalancing: drop mid and high authority until the band shares lie in their target ranges, and verify that they do."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trivium.schema import BANDS, RebalanceConfig

Counts = dict[str, int]


class Outcome(NamedTuple):
    """How many of each band are kept, whether every share is in its range, and if not, why."""

    kept: Counts
    reached: bool
    reason: str


def choose(counts: Counts, targets: RebalanceConfig) -> Outcome:
    """The most samples that keep all of low and reach the targets; else the counts that miss them least.

    >>> choose({"low": 30, "mid": 40, "high": 200}, RebalanceConfig()).kept
    {'low': 30, 'mid': 40, 'high': 46}
    """
    ranges = {band: getattr(targets, band) for band in BANDS}
    low = counts["low"]
    most = min(sum(counts.values()), _most(low, ranges["low"][0], sum(counts.values())))
    for total in range(most, low, -1):
        kept = _fill(total, counts, ranges)
        if kept is not None:
            return Outcome(kept, True, "")
    kept = _nearest(counts, ranges)
    return Outcome(kept, False, _why(kept, ranges))


def pick(bands: npt.NDArray[np.int8], kept: Counts, seed: int) -> npt.NDArray[np.bool_]:
    """A mask (N,) that keeps that many of each band, drawn by seed; `bands` holds indices into `BANDS`."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(len(bands), np.bool_)
    for code, band in enumerate(BANDS):
        members = np.flatnonzero(bands == code)
        mask[members if kept[band] >= len(members) else rng.choice(members, kept[band], replace=False)] = True
    return mask


def shares(counts: Counts) -> dict[str, float]:
    """Counts as shares; zeros when there is nothing."""
    total = sum(counts.values())
    return {band: counts[band] / total if total else 0.0 for band in BANDS}


def miss(counts: Counts, ranges: dict[str, list[float]]) -> float:
    """How far the shares lie outside their ranges, added up."""
    found = shares(counts)
    return sum(max(0.0, ranges[b][0] - found[b], found[b] - ranges[b][1]) for b in BANDS)


def _most(low: int, least_share: float, everything: int) -> int:
    return int(low / least_share + 1e-9) if least_share > 0 else everything


def _fill(total: int, counts: Counts, ranges: dict[str, list[float]]) -> Counts | None:
    """Mid and high for this total with every share in range, high taken first; None if there is no way."""
    low = counts["low"]
    if not _inside(low, total, ranges["low"]):
        return None
    rest = total - low
    most_high = min(counts["high"], int(ranges["high"][1] * total + 1e-9), rest)
    high = max(most_high if rest - most_high >= 0 else 0, 0)
    mid = rest - high
    short = max(0, int(np.ceil(ranges["mid"][0] * total - 1e-9)) - mid)
    mid, high = mid + short, high - short
    fits = mid <= counts["mid"] and _inside(mid, total, ranges["mid"]) and high >= 0 and _inside(high, total, ranges["high"])
    return {"low": low, "mid": mid, "high": high} if fits else None


def _inside(count: int, total: int, allowed: list[float]) -> bool:
    return allowed[0] - 1e-9 <= count / total <= allowed[1] + 1e-9


def _nearest(counts: Counts, ranges: dict[str, list[float]]) -> Counts:
    """All of low, and of mid and high the part on a grid of 101 x 101 that misses the ranges least; more samples break ties."""
    steps = np.linspace(0, 1, 101)
    options = (
        {"low": counts["low"], "mid": int(counts["mid"] * m), "high": int(counts["high"] * h)} for m in steps for h in steps
    )
    return min(options, key=lambda kept: (round(miss(kept, ranges), 6), -sum(kept.values())))


def _why(kept: Counts, ranges: dict[str, list[float]]) -> str:
    found = shares(kept)
    outside = [
        f"{band} is {found[band]:.0%}, wanted {ranges[band][0]:.0%} to {ranges[band][1]:.0%}"
        for band in BANDS
        if not _inside_share(found[band], ranges[band])
    ]
    return f"{'; '.join(outside)}: the data has too little of the others, and low authority is never dropped" if outside else ""


def _inside_share(share: float, allowed: list[float]) -> bool:
    return allowed[0] - 1e-9 <= share <= allowed[1] + 1e-9
