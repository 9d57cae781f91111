"""Rebalancing keeps low, reaches its targets where they can be reached, and says so only where they are."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trivium.data.rebalance import choose, outcome, pick, shares
from trivium.schema import BANDS, RebalanceConfig

TARGETS = RebalanceConfig()
RANGES = {"low": TARGETS.low, "mid": TARGETS.mid, "high": TARGETS.high}
COUNTS = st.fixed_dictionaries({band: st.integers(0, 40) for band in BANDS})


def miss(kept: dict[str, int]) -> float:
    found = shares(kept)
    return sum(max(0.0, RANGES[b][0] - found[b], found[b] - RANGES[b][1]) for b in BANDS)


@given(COUNTS)
def test_the_largest_choice_within_the_targets_or_everything(counts: dict[str, int]) -> None:
    found = choose(counts, TARGETS)
    assert found.kept["low"] == counts["low"] and all(0 <= found.kept[b] <= counts[b] for b in BANDS)
    options = [{"low": counts["low"], "mid": m, "high": h} for m in range(counts["mid"] + 1) for h in range(counts["high"] + 1)]
    inside = [sum(kept.values()) for kept in options if sum(kept.values()) and miss(kept) < 1e-8]
    assert found.reached == bool(inside)
    assert sum(found.kept.values()) == (max(inside) if inside else sum(counts.values()))


@given(COUNTS, COUNTS)
def test_reached_is_verified_from_the_counts(counts: dict[str, int], other: dict[str, int]) -> None:
    kept = {b: min(counts[b], other[b]) for b in BANDS}
    found = outcome(counts, kept, TARGETS)
    inside = all(RANGES[b][0] - 1e-9 <= found.after[b] <= RANGES[b][1] + 1e-9 for b in BANDS)
    assert found.reached == inside and bool(found.reason) != inside and set(found.missed) <= set(BANDS)


def test_where_the_targets_cannot_be_reached_nothing_is_thrown_away() -> None:
    counts = {"low": 100, "mid": 5, "high": 1000}
    found = choose(counts, TARGETS)
    assert not found.reached and found.kept == counts
    assert "mid is 0.5% (5 of 1105), wanted 25% to 35%" in found.reason and found.missed["mid"] < 0


def test_a_million_samples_are_no_matter() -> None:
    found = choose({"low": 200_000, "mid": 300_000, "high": 500_000}, TARGETS)
    assert found.reached and sum(found.kept.values()) == 800_000


def test_pick_keeps_the_numbers_and_is_seeded() -> None:
    bands = np.random.default_rng(0).integers(0, 3, 500).astype(np.uint8)
    kept = {"low": int((bands == 0).sum()), "mid": 20, "high": 0}
    first, again, other = (pick(bands, kept, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert [int((bands[first] == code).sum()) for code in range(3)] == list(kept.values())
    assert (first == again).all() and (first != other).any()
