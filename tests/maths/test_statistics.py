import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from trivium.maths.statistics import Estimate, bootstrap, difference, mean, t_interval

VALUES = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_the_interval_contains_the_figure_and_lies_within_the_values(values: list[float]) -> None:
    found = mean(values, 200, 0.95, 0)
    assert found.low <= found.value <= found.high
    assert min(values) - 1e-6 <= found.low
    assert found.high <= max(values) + 1e-6


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    intervals = [mean(rng.normal(2.0, 1.0, 60), 400, 0.9, seed) for seed in range(300)]
    covered = sum(i.low <= 2.0 <= i.high for i in intervals) / 300
    assert 0.84 <= covered <= 0.95


def test_more_confidence_is_wider_and_more_items_are_narrower() -> None:
    values = np.random.default_rng(0).random(50)
    wide, narrow = mean(values, 2000, 0.99, 0), mean(values, 2000, 0.8, 0)
    assert wide.high - wide.low > narrow.high - narrow.low
    many = mean(np.tile(values, 20), 2000, 0.8, 0)
    assert many.high - many.low < narrow.high - narrow.low


def test_one_item_has_no_width_and_none_is_an_error() -> None:
    assert mean([0.4], 100, 0.95, 0) == (0.4, 0.4, 0.4)
    with pytest.raises(ValueError, match="at least one"):
        mean([], 100, 0.95, 0)


def test_differences_are_paired() -> None:
    base = np.random.default_rng(0).normal(0, 100, 40)
    found = difference(base + 1, base, 500, 0.95, 0)
    assert found == pytest.approx((1.0, 1.0, 1.0))


def test_a_ratio_of_sums_is_resampled_together() -> None:
    columns = np.stack([np.arange(1.0, 41.0) * 3, np.arange(1.0, 41.0)], axis=1)
    found = bootstrap(columns, lambda m: m[..., 0] / m[..., 1], 300, 0.95, 0)
    assert found == pytest.approx((3.0, 3.0, 3.0))


def test_the_seed_fixes_the_interval() -> None:
    values = np.random.default_rng(0).random(30)
    assert mean(values, 300, 0.95, 7) == mean(values, 300, 0.95, 7)
    assert mean(values, 300, 0.95, 7) != mean(values, 300, 0.95, 8)


def test_students_interval_of_few_values() -> None:
    expected = stats.ttest_1samp([0.2, 0.5, 0.9, 0.4], 0).confidence_interval(0.9)
    assert t_interval([0.2, 0.5, 0.9, 0.4], 0.9) == pytest.approx((0.5, *expected))
    assert t_interval([0.4]) == Estimate(0.4, 0.4, 0.4)
