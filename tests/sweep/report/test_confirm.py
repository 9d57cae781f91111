"""Luck, told from fresh seeds."""

import pytest
from scipy import stats
from studies import PREFERENCE, confirmed

from trivium.maths.statistics import Estimate
from trivium.sweep.report import Confirmed, StudyFacts
from trivium.sweep.report.confirm import comparisons, fall, of_front, points, verdict


def compared(which: str = "best", **values: list[float]):
    facts = StudyFacts("s", "distrust", 1, confirmed=confirmed(**values))
    return comparisons(facts, [PREFERENCE], which)


def test_the_difference_is_paired_over_seeds() -> None:
    best, default = [0.7, 0.8, 0.9], [0.5, 0.61, 0.69]
    (found,) = compared(best=best, default=default)
    assert found.difference is not None
    assert found.difference.value == pytest.approx(0.2)
    low, high = stats.ttest_rel(best, default).confidence_interval()
    assert found.difference[1:] == pytest.approx((low, high))
    assert found.difference.low > 0.15 > found.best.value - found.best.low - 0.2


def test_seeds_that_only_one_of_them_has_do_not_count() -> None:
    facts = StudyFacts(
        "s",
        "distrust",
        1,
        confirmed=[*confirmed(best=[0.5, 0.7], default=[0.4]), Confirmed("best", 9, {}, None)],  # type: ignore[arg-type]
    )
    (found,) = comparisons(facts, [PREFERENCE])
    assert found.seeds == 2
    assert found.difference == Estimate(*[pytest.approx(0.1)] * 3)


@pytest.mark.parametrize(
    ("best", "default", "maximised", "said"),
    [
        ([0.9, 0.91, 0.92], [0.5, 0.5, 0.53], True, "excludes 0, so that it is better"),
        ([0.9, 0.91, 0.92], [0.5, 0.5, 0.53], False, "on the wrong side"),
        ([0.5, 0.5, 0.53], [0.9, 0.91, 0.92], True, "on the wrong side"),
        ([0.5, 0.5, 0.53], [0.9, 0.91, 0.92], False, "excludes 0, so that it is better"),
        ([0.5, 0.7, 0.6], [0.6, 0.6, 0.55], True, "has not shown"),
        ([0.9], [0.5], True, "luck is not ruled out"),
    ],
)
def test_the_verdict(best: list[float], default: list[float], maximised: bool, said: str) -> None:
    (found,) = compared(best=best, default=default)
    assert said in verdict(found, maximised)


def test_without_a_default_there_is_only_the_mean() -> None:
    (found,) = compared(best=[0.5, 0.7])
    assert found.difference is None
    assert "0.600" in verdict(found, True)


def test_what_was_promised_and_not_kept_is_said() -> None:
    (found,) = compared(best=[0.7, 0.71, 0.72], default=[0.5, 0.5, 0.5])
    assert "trust the latter" in fall(Estimate(0.9, 0.85, 0.95), found, True)[0]
    assert fall(Estimate(0.71, 0.7, 0.72), found, True) == []
    assert fall(Estimate(0.9, 0.85, 0.95), found, False) == []


def test_points_of_a_front_are_sorted_by_what_is_sure() -> None:
    values = {"front_0": [0.9, 0.91, 0.92], "front_1": [0.5, 0.7, 0.6], "default": [0.6, 0.61, 0.6]}
    facts = StudyFacts("s", "distrust", 1, confirmed=confirmed(**values))
    assert points(facts) == ["front-0", "front-1"]
    (told,) = of_front(PREFERENCE, "maximize", {which: comparisons(facts, [PREFERENCE], which) for which in points(facts)})
    assert "front 0 is better than the default" in told
    assert "front 1 is not surely different from the default" in told
