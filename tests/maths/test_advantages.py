"""Advantages against the trainer's own expressions, and what the shares say of the terms."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from trl.trainer.utils import nanstd

from trivium.maths.advantages import NORMALIZE_THEN_SUM, SUM_THEN_NORMALIZE, advantages, contributions, shares

AGGREGATIONS = (SUM_THEN_NORMALIZE, NORMALIZE_THEN_SUM)
SCALES = ("group", "batch", "none")
Batch = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], int]


def expected(rewards: Any, weights: Any, group: int, aggregation: str, scale: str) -> Any:
    """The trainer's expressions, in its own tensors."""
    per_func, weighted = torch.tensor(rewards), torch.tensor(weights).unsqueeze(0)
    unscorable = torch.isnan(per_func).all(dim=1)
    if aggregation == SUM_THEN_NORMALIZE:
        total = (per_func * weighted).nansum(dim=1)
        total[unscorable] = torch.nan
        grouped = total.view(-1, group)
        mean = torch.nanmean(grouped, dim=1).repeat_interleave(group, dim=0)
        by_group = nanstd(grouped, dim=1).repeat_interleave(group, dim=0)
        std = nanstd(total).expand_as(total) if scale == "batch" else by_group
        found = total - mean
        if scale != "none":
            found = found / (std + 1e-4)
    else:
        grouped = per_func.view(-1, group, per_func.shape[1])
        mean_k = torch.nanmean(grouped, dim=1, keepdim=True)
        reward_k = ((grouped - mean_k) / (nanstd(grouped, dim=1, keepdim=True) + 1e-4)).view(-1, per_func.shape[1])
        total = (reward_k * weighted).nansum(dim=1)
        total[unscorable] = torch.nan
        found = (total - torch.nanmean(total)) / (nanstd(total).expand_as(total) + 1e-4)
    return torch.nan_to_num(found, nan=0.0).numpy()


@st.composite
def batches(draw: st.DrawFn, missing: bool = True) -> Batch:
    groups, group, terms = draw(st.integers(1, 4)), draw(st.integers(2, 5)), draw(st.integers(1, 4))
    value = st.sampled_from([-1.0, 0.0, 0.5, 1.0]) | st.floats(-1, 1, width=16)
    value = value | st.just(math.nan) if missing else value
    rows = st.lists(st.lists(value, min_size=terms, max_size=terms), min_size=groups * group, max_size=groups * group)
    weight = st.just(0.0) | st.floats(2**-7, 4, width=16)
    weights = draw(st.lists(weight, min_size=terms, max_size=terms))
    return np.array(draw(rows)), np.array(weights), group


@settings(max_examples=300, deadline=None)
@given(batches(), st.sampled_from(AGGREGATIONS), st.sampled_from(SCALES))
def test_advantages_are_the_trainers(batch: Batch, aggregation: str, scale: str) -> None:
    rewards, weights, group = batch
    found = advantages(rewards, weights, group, aggregation, scale)
    np.testing.assert_allclose(found, expected(rewards, weights, group, aggregation, scale), atol=1e-6)


@given(batches(), st.sampled_from(AGGREGATIONS))
def test_contributions_add_up_to_the_advantage_before_it_is_scaled(batch: Batch, aggregation: str) -> None:
    rewards, weights, group = batch
    total = contributions(rewards, weights, group, aggregation).sum(axis=1)
    scored = ~np.isnan(rewards).all(axis=1)
    assume(scored.any())
    np.testing.assert_allclose(total[~scored], 0)
    if aggregation == NORMALIZE_THEN_SUM:
        spread = total[scored].std(ddof=1) if scored.sum() > 1 else math.nan
        total = np.where(scored, np.nan_to_num((total - total[scored].mean()) / (spread + 1e-4)), 0)
    np.testing.assert_allclose(total, advantages(rewards, weights, group, aggregation, "none"), atol=1e-6)


@given(batches(), st.sampled_from(AGGREGATIONS), st.sampled_from(SCALES))
def test_shares_of_variance_add_up_to_1_where_there_is_any(batch: Batch, aggregation: str, scale: str) -> None:
    rewards, weights, group = batch
    found = shares(rewards, weights, group, aggregation, scale)
    spread = advantages(rewards, weights, group, aggregation, scale).std()
    if spread > 1e-3 or spread == 0:
        assert found.variance.sum() == pytest.approx(float(spread > 0), abs=1e-6)
    assert np.isfinite(found.variance).all()
    assert ((found.zero >= 0) & (found.zero <= 1)).all()
    assert 0 <= found.collapse < 1


def test_a_term_of_ten_times_the_range_drowns_the_other_in_the_plain_sum_only() -> None:
    rewards = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 10.0], [1.0, 10.0]])
    weights = np.ones(2)
    assert shares(rewards, weights, 4, SUM_THEN_NORMALIZE).variance == pytest.approx([1 / 101, 100 / 101])
    assert shares(rewards, weights, 4, NORMALIZE_THEN_SUM).variance == pytest.approx([0.5, 0.5], abs=1e-3)
    weighed = shares(rewards, np.array([2.0, 1.0]), 4, NORMALIZE_THEN_SUM).variance
    assert weighed == pytest.approx([0.8, 0.2], abs=1e-3)


def test_scaling_by_group_makes_a_small_difference_count_as_much_as_a_large_one() -> None:
    rewards = np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 0.0], [0.0, 1.0]])
    shared = {scale: shares(rewards, np.ones(2), 2, SUM_THEN_NORMALIZE, scale).variance for scale in SCALES}
    assert shared["group"] == pytest.approx([0.5, 0.5], abs=1e-3)
    assert shared["none"] == pytest.approx([1 / 101, 100 / 101])
    assert shared["batch"] == pytest.approx([1 / 101, 100 / 101])


def test_a_missing_value_counts_as_nothing_in_the_plain_sum_and_as_the_mean_when_each_is_normalised_first() -> None:
    rewards = np.array([[0.0, -1.0], [0.0, math.nan], [0.0, -1.0]])
    plain = advantages(rewards, np.ones(2), 3, SUM_THEN_NORMALIZE)
    assert plain[1] > plain[0] + 1
    assert advantages(rewards, np.ones(2), 3, NORMALIZE_THEN_SUM).tolist() == [0, 0, 0]


def test_a_term_without_weight_or_without_variance_has_no_share() -> None:
    rewards = np.array([[0.0, 1.0, 0.3], [1.0, 0.0, 0.3], [0.0, 0.0, 0.3], [1.0, 1.0, 0.3]])
    for aggregation in AGGREGATIONS:
        found = shares(rewards, np.array([1.0, 0.0, 1.0]), 2, aggregation)
        assert found.variance == pytest.approx([1.0, 0.0, 0.0], abs=1e-9)


def test_nothing_varies() -> None:
    found = shares(np.full((4, 2), 0.1), np.ones(2), 2, NORMALIZE_THEN_SUM)
    assert (found.variance.tolist(), found.zero.tolist(), found.collapse) == ([0, 0], [1, 1], 0.0)


def test_zero_variance_is_the_share_of_groups_in_which_a_term_tells_nothing() -> None:
    nan = math.nan
    rewards = np.array([[1, 0, nan], [1, 1, nan], [0, 1, 1], [1, 1, nan], [0, 0, 1], [0, 1, 0], [1, 1, 1], [1, 0, 1]], float)
    assert shares(rewards, np.ones(3), 2, SUM_THEN_NORMALIZE).zero.tolist() == [0.75, 0.25, 0.75]


def test_different_rewards_of_one_sum_collapse_in_the_plain_sum_and_not_when_each_is_normalised_first() -> None:
    """Right and badly put, wrong and well put: the plain sum cannot tell them apart (GDPO's example)."""
    rewards = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    weights = np.ones(2)
    plain = advantages(rewards, weights, 4, SUM_THEN_NORMALIZE)
    assert plain[0] == plain[1]
    assert shares(rewards, weights, 4, SUM_THEN_NORMALIZE).collapse == pytest.approx(1 / 3)
    decoupled = advantages(rewards, weights, 4, NORMALIZE_THEN_SUM)
    assert decoupled[0] > decoupled[1] + 0.1
    assert shares(rewards, weights, 4, NORMALIZE_THEN_SUM).collapse == 0.0


def test_equal_reward_vectors_are_no_collapse() -> None:
    rewards = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    assert shares(rewards, np.ones(2), 4, SUM_THEN_NORMALIZE).collapse == 0.0


def test_a_completion_without_any_value_gets_no_advantage_and_does_not_move_the_others() -> None:
    rewards = np.array([[1.0, 1.0], [0.0, 0.0], [math.nan, math.nan], [0.5, 0.0]])
    for aggregation in AGGREGATIONS:
        found = advantages(rewards, np.ones(2), 4, aggregation)
        without = advantages(rewards[[0, 1, 3]], np.ones(2), 3, aggregation)
        assert found[2] == 0
        assert found[[0, 1, 3]] == pytest.approx(without)
