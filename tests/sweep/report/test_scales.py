"""Where the values of a parameter stand on an axis."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from trivium.sweep.report.figures import short_names
from trivium.sweep.report.scales import axis

ALPHAS = [0, 0.05, 0.1, 0.3, 1, 2.7, 8]


def test_values_over_decades_with_zero_among_them() -> None:
    scale, place = axis("alpha", CategoricalDistribution(ALPHAS), ALPHAS)
    assert not scale.log
    assert scale.ticks is not None
    assert scale.ticks[place(0)] == "0"
    assert "1" in scale.ticks.values()
    assert place(1) - place(0.1) == pytest.approx(1)


@given(st.lists(st.floats(1e-6, 1e6), min_size=3, unique=True))
def test_the_order_of_values_is_kept(values: list[float]) -> None:
    _, place = axis("alpha", FloatDistribution(0, 1e6), [0, *values])
    places = [place(value) for value in sorted([0, *values])]
    assert places == sorted(places)


def test_a_logarithmic_space_has_a_logarithmic_axis() -> None:
    scale, place = axis("lr", FloatDistribution(1e-5, 1e-1, log=True), [1e-4, 1e-2])
    assert scale.log
    assert place(1e-4) == 1e-4
    assert scale.ticks is not None and 1e-3 in scale.ticks


def test_even_values_stay_linear() -> None:
    rng = random.Random(0)
    even = [rng.uniform(0, 8) for _ in range(20)]
    assert not axis("alpha", FloatDistribution(0, 8), [0, *even])[0].ticks
    assert not axis("r", IntDistribution(4, 64, step=4), [4, 16, 64])[0].log


def test_categories_are_named_and_cut() -> None:
    scale, place = axis("reward", CategoricalDistribution(["none", "x" * 80, None]), ["none"])
    assert scale.names
    assert place("none") == "none"
    assert len(place("x" * 80)) == 20
    assert place(None) == "None"


def test_truths_are_categories() -> None:
    assert axis("rslora", CategoricalDistribution([True, False]), [True])[0].names


def test_names_are_short_and_tell_apart() -> None:
    found = short_names(["adapter.r", "loss.alpha", "a.b.weight", "c.b.weight"])
    assert found == {"adapter.r": "r", "loss.alpha": "alpha", "a.b.weight": "a.b.weight", "c.b.weight": "c.b.weight"}
