"""What may be sought, and what not, with the reason."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trivium.schema import SweepConfig
from trivium.sweep import objectives
from trivium.sweep.objectives import Constraint

MEASURED = {"eval/source_preference": 0.5, "eval/general_ppl": 3.0, "band/low/bpb": 2.0}
MEASURED |= {f"{name}_ci_{end}": value for name, value in MEASURED.items() for end in ("low", "high")}


def problems(sweep: SweepConfig) -> list[str]:
    return list(objectives.problems_in(sweep))


@pytest.mark.parametrize("metric", ["eval/source_preference", "eval/gold_reward", "band/low/bpb", "eval/general_ppl"])
def test_an_evaluation_may_be_sought(seeking: Callable[..., SweepConfig], metric: str) -> None:
    assert problems(seeking({metric: "maximize"})) == []


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("loss", "is a loss: its weights and terms change with the settings that are searched"),
        ("train/loss", "is a loss"),
        ("eval_loss", "is a loss"),
        ("rewards/format/mean", "is a reward of the training; a search over it finds what pays, not what is right"),
        ("reward", "Use eval/gold_reward, which training never sees"),
        ("eval/proxy_reward", "is the reward that is trained on"),
        ("weights/ess_fraction", "is not measured on held-out items; use a metric of the evaluation"),
    ],
)
def test_what_is_trained_on_is_refused_with_the_reason(seeking: Callable[..., SweepConfig], metric: str, words: str) -> None:
    (problem,) = problems(seeking({metric: "maximize"}))
    assert metric in problem
    assert words in problem


def test_a_direction_is_one_of_two(seeking: Callable[..., SweepConfig]) -> None:
    (problem,) = problems(seeking({"eval/source_preference": "maximise"}))
    assert "maximise" in problem
    assert "did you mean `maximize`?" in problem


def test_a_metric_is_sought_once() -> None:
    (problem,) = problems(SweepConfig(objectives=["maximize eval/a", "minimize eval/a"]))
    assert "a metric stands here twice" in problem


def test_nothing_sought_is_told(seeking: Callable[..., SweepConfig]) -> None:
    (problem,) = problems(seeking({}))
    assert "empty; name a metric of the evaluation" in problem


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("eval/general_ppl_ratio <= 1.1", Constraint("eval/general_ppl_ratio", "<=", 1.1)),
        ("eval/a>=-1e-3", Constraint("eval/a", ">=", -0.001)),
        ("eval/a < 1", None),
        ("eval/a <= much", None),
        ("1 <= eval/a", None),
        ("eval/a <= 1.2.3", None),
    ],
)
def test_a_constraint_is_a_metric_and_a_bound(text: str, found: Constraint | None) -> None:
    assert objectives.constraint(text) == found


def test_a_constraint_that_cannot_be_read_is_told(seeking: Callable[..., SweepConfig]) -> None:
    (problem,) = problems(seeking({"eval/a": "maximize"}, constraints=["eval/b < 2"]))
    assert "'eval/b < 2' cannot be read; write <metric> <= <number>" in problem


@pytest.mark.parametrize(
    ("sign", "value", "kept"), [("<=", 1.0, True), ("<=", 1.2, False), (">=", 1.2, True), (">=", 1.0, False)]
)
def test_a_violation_is_above_zero(sign: str, value: float, kept: bool) -> None:
    assert (Constraint("m", sign, 1.1).violation(value) <= 0) == kept


@pytest.mark.parametrize("key", ["evaluation.seed", "evaluation", "reward.gold.fn", "sweep.seed", "hydra.job.name"])
def test_what_changes_the_measure_is_not_searched(seeking: Callable[..., SweepConfig], key: str) -> None:
    (problem,) = problems(seeking({"eval/a": "maximize"}, params={key: "interval(0, 8)"}))
    assert problem.startswith(f"sweep.params.{key}: changes what is measured")


def test_metrics_by_token_are_not_compared_between_models(seeking: Callable[..., SweepConfig]) -> None:
    params = {"model.build.vocab_size": "interval(300, 800)"}
    (problem,) = problems(seeking({"eval/general_ppl": "minimize"}, params=params))
    assert "eval/general_ppl counts tokens, and sweep.params.model.build.vocab_size changes them" in problem
    assert problems(seeking({"band/low/bpb": "minimize"}, params=params)) == []


def test_what_no_evaluation_gives_is_told_with_all_that_it_gives(seeking: Callable[..., SweepConfig]) -> None:
    (problem,) = objectives.missing(seeking({"eval/source_prefrence": "maximize"}), MEASURED)
    assert "eval/source_prefrence is not measured by this evaluation; did you mean `eval/source_preference`?" in problem
    assert problem.endswith("All that is: band/low/bpb, eval/general_ppl, eval/source_preference.")
    assert list(objectives.missing(seeking({"eval/source_preference": "maximize"}), MEASURED)) == []


def test_constraints_need_their_metric_too(seeking: Callable[..., SweepConfig]) -> None:
    sweep = seeking({"eval/general_ppl": "minimize"}, constraints=["eval/none <= 1"])
    assert objectives.metrics(sweep) == ["eval/general_ppl", "eval/none"]
    assert [text.split()[0] for text in objectives.missing(sweep, MEASURED)] == ["eval/none"]


def scores(folder: Path, items: dict[str, Any], readings: dict[str, Any]) -> Path:
    (folder / "evaluation").mkdir(parents=True)
    (folder / "evaluation" / "scores.json").write_text(json.dumps({"items": items, "readings": readings}), encoding="utf-8")
    return folder


def test_items_are_those_of_the_metric(tmp_path: Path) -> None:
    one = scores(tmp_path / "1", {"p": {"a": 1, "b": 0}, "q": {"x": 1}}, {"low": {"d": 1}})
    two = scores(tmp_path / "2", {"p": {"b": 1, "a": 1}, "q": {"y": 1}}, {"low": {"e": 1}})
    assert objectives.items_of(one, "eval/p") == objectives.items_of(two, "eval/p")
    assert objectives.items_of(one, "eval/p_delta") == objectives.items_of(one, "eval/p")
    assert objectives.items_of(one, "eval/q") != objectives.items_of(two, "eval/q")
    assert objectives.items_of(one, "band/low/bpb") != objectives.items_of(two, "band/low/bpb")
