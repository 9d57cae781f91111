"""Siblings stay together, the shares are right, and max_samples is taken evenly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.data.splits import evenly, held_out, held_out_rows, streams


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.floats(0, 0.99), st.integers(0, 5))
def test_documents_are_never_torn_apart(documents: list[int], test_size: float, seed: int) -> None:
    column = np.array(documents, np.uint64)
    mask = held_out(column, test_size, seed)
    inside, outside = set(column[~mask].tolist()), set(column[mask].tolist())
    assert not inside & outside and inside
    if test_size > 0 and len(set(documents)) > 1:
        assert len(outside) == min(len(set(documents)) - 1, max(1, round(test_size * len(set(documents)))))
    else:
        assert not outside


def test_the_seed_decides_and_more_documents_change_little() -> None:
    column = np.arange(1000, dtype=np.uint64) * np.uint64(2**40 + 7)
    first, other = held_out(column, 0.1, 1), held_out(column, 0.1, 2)
    assert (first == held_out(column, 0.1, 1)).all() and (first & other).sum() < 30
    shorter = held_out(column[:900], 0.1, 1)
    assert (shorter != first[:900]).sum() < 30


@given(st.lists(st.integers(0, 6), min_size=1, max_size=120), st.integers(1, 130))
def test_files_give_evenly(files: list[int], most: int) -> None:
    column = np.array(files, np.uint32)
    chosen = evenly(column, most, np.random.default_rng(0))
    assert len(chosen) == min(most, len(files)) and (np.diff(chosen) > 0).all()
    given_, there = np.bincount(column[chosen], minlength=7), np.bincount(column, minlength=7)
    short = given_[given_ < there]
    assert not len(short) or given_.max() <= short.min() + 1


def test_which_are_taken_is_drawn_over_the_whole_file() -> None:
    chosen = evenly(np.zeros(1000, np.uint32), 100, np.random.default_rng(0))
    assert np.mean(chosen) == pytest.approx(500, abs=80)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=200), st.floats(0, 0.99), st.integers(0, 5))
def test_whole_groups_hold_no_more_than_is_wanted(groups: list[int], test_size: float, seed: int) -> None:
    column = np.array(groups, np.uint64)
    mask = held_out_rows(column, test_size, seed)
    inside, outside = column[~mask].tolist(), column[mask].tolist()
    assert not set(inside) & set(outside) and inside
    assert bool(outside) is (test_size > 0 and len(set(groups)) > 1)
    smallest = min(np.bincount(column.astype(int))[np.unique(column).astype(int)])
    assert len(outside) <= max(1, round(test_size * len(groups)), smallest)


def test_the_share_is_met_where_groups_are_small() -> None:
    column = np.arange(1000, dtype=np.uint64) // np.uint64(3)
    assert 98 <= held_out_rows(column, 0.1, 3).sum() <= 100
    assert (held_out_rows(column, 0.1, 3) != held_out_rows(column, 0.1, 4)).any()


@given(st.integers(0, 2**32))
def test_each_purpose_draws_for_itself_whatever_purposes_come_after_it(seed: int) -> None:
    few, more = streams("order", "placebo"), streams("order", "placebo", "dialogue")
    assert few(seed, "order").random() == more(seed, "order").random() != more(seed, "dialogue").random()
    assert more(seed, "placebo").random() != more(seed, "order").random() != more(seed + 1, "order").random()
