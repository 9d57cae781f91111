import pytest

from trivium.evaluation import EvalItems, Reading, Scores, compare, difference, verdicts
from trivium.evaluation.suites import Part
from trivium.schema import EvaluationConfig

CONFIG = EvaluationConfig(bootstrap_samples=400)


def scores(hits: int, low: float, high: float, count: int = 100) -> Scores:
    readings = {
        "low": {str(i): Reading(low * 10 + i % 3, 10, 40) for i in range(50)},
        "high": {str(i): Reading(high * 10 + i % 3, 10, 40) for i in range(50)},
    }
    return Scores({"source_preference": {f"{i:03d}": float(i < hits) for i in range(count)}}, readings)


def part() -> Part:
    return Part("source_preference", "choice", {"marginal": 0.5, "good": 0.66, "excellent": 0.85})


def test_every_figure_comes_with_base_difference_and_intervals() -> None:
    metrics = compare(scores(90, 1.0, 2.0), scores(30, 2.0, 2.0), [part()], CONFIG)
    assert metrics["eval/source_preference"] == pytest.approx(0.9)
    assert metrics["eval/source_preference_base"] == pytest.approx(0.3)
    assert metrics["eval/source_preference_delta"] == pytest.approx(0.6)
    for name in ("eval/source_preference", "eval/distrust_ratio", "band/low/ppl", "band/low/bpb", "band/low/delta_ppl"):
        assert metrics[f"{name}_ci_low"] <= metrics[name] <= metrics[f"{name}_ci_high"]
    assert metrics["band/low/delta_ppl"] == pytest.approx(metrics["band/low/ppl"] - metrics["band/low/ppl_base"])
    assert metrics["eval/distrust_ratio"] == pytest.approx(metrics["band/high/ppl"] / metrics["band/low/ppl"])


def test_verdicts_look_at_the_worse_end() -> None:
    metrics = compare(scores(90, 1.0, 2.0), scores(30, 2.0, 2.0), [part()], CONFIG)
    found = verdicts(metrics, EvalItems([part()], {}))
    assert found["eval/source_preference"] == "good"
    assert metrics["eval/source_preference"] > 0.85 > metrics["eval/source_preference_ci_low"]
    assert (found["band/low/ppl"], found["band/high/ppl"]) == ("better", "unchanged")
    assert found["eval/distrust_ratio"] == "excellent"


def test_a_part_stands_for_another_where_that_is_missing() -> None:
    other = Part("source_reliability", "choice", part().thresholds, stands_for="source_preference")
    tuned = Scores({"source_reliability": {"a": 1.0, "b": 0.0}})
    metrics = compare(tuned, tuned, [other], CONFIG)
    assert metrics["eval/source_preference"] == metrics["eval/source_reliability"] == 0.5
    both = Scores({"source_reliability": {"a": 1.0}, "source_preference": {"a": 0.0}})
    assert compare(both, both, [part(), other], CONFIG)["eval/source_preference"] == 0.0


def test_the_difference_of_two_arms_is_paired() -> None:
    found = difference("eval/source_preference", scores(90, 1, 1), scores(30, 1, 1), CONFIG)
    assert found is not None
    assert found.value == pytest.approx(0.6)
    assert found.low > 0.45
    same = difference("eval/source_preference", scores(30, 1, 1), scores(30, 1, 1), CONFIG)
    assert same == (0.0, 0.0, 0.0)
    assert difference("eval/unheard_of", scores(1, 1, 1), scores(1, 1, 1), CONFIG) is None
