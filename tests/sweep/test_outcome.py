"""What came of a trial, by the files that it left."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trivium.schema import SweepConfig
from trivium.sweep import outcome
from trivium.sweep.outcome import Outcome

METRIC = "eval/source_preference"
FULL = {METRIC: 0.5, f"{METRIC}_ci_low": 0.4, f"{METRIC}_ci_high": 0.6, f"{METRIC}_base": 0.1, "train/loss": 2.0}


@pytest.fixture
def sweep(seeking: Callable[..., SweepConfig]) -> SweepConfig:
    return seeking({METRIC: "maximize"})


def write(folder: Path, status: str, metrics: dict[str, Any] | None = None, **more: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"status": status, "metrics": metrics or {}, **more})
    (folder / "result.json").write_text(text, encoding="utf-8")
    return folder


def test_a_finished_training_gives_its_objective_with_its_interval(tmp_path: Path, sweep: SweepConfig) -> None:
    found = outcome.read(write(tmp_path, "ok", FULL), sweep)
    assert found.state == "complete"
    assert found.values(sweep) == [0.5]
    assert found.metrics == {key: value for key, value in FULL.items() if key != "train/loss"}
    assert found.repeats == []


@pytest.mark.parametrize(
    ("status", "metrics", "state"),
    [
        ("running", FULL, "unfinished"),
        ("pruned", {}, "pruned"),
        ("failed", FULL, "failed"),
        ("ok", {"eval/other": 1.0}, "failed"),
        ("ok", {METRIC: None}, "failed"),
        ("ok", {METRIC: math.nan}, "failed"),
        ("ok", {METRIC: math.inf}, "failed"),
    ],
)
def test_every_other_end_is_told_apart(
    tmp_path: Path, sweep: SweepConfig, status: str, metrics: dict[str, Any], state: str
) -> None:
    assert outcome.read(write(tmp_path, status, metrics), sweep).state == state


def test_no_result_yet_is_unfinished_and_so_is_a_torn_one(tmp_path: Path, sweep: SweepConfig) -> None:
    assert outcome.read(tmp_path, sweep) == Outcome("unfinished")
    (tmp_path / "result.json").write_text('{"status": "o', encoding="utf-8")
    assert outcome.read(tmp_path, sweep) == Outcome("unfinished")


def test_the_reason_is_the_runs_own(tmp_path: Path, sweep: SweepConfig) -> None:
    assert outcome.read(write(tmp_path, "failed", error="the loss is nan"), sweep).reason == "the loss is nan"
    assert outcome.read(write(tmp_path, "ok", {METRIC: math.nan}), sweep).reason == f"{METRIC} is not a number"


def test_a_constraint_needs_its_number_too(tmp_path: Path, seeking: Callable[..., SweepConfig]) -> None:
    sweep = seeking({METRIC: "maximize"}, constraints=["eval/general_ppl <= 2"])
    assert outcome.read(write(tmp_path, "ok", FULL), sweep).state == "failed"
    assert outcome.read(write(tmp_path, "ok", {**FULL, "eval/general_ppl": 9.0}), sweep).metrics["eval/general_ppl"] == 9.0


def test_repeats_give_their_mean_with_the_t_interval(tmp_path: Path, seeking: Callable[..., SweepConfig]) -> None:
    sweep = seeking({METRIC: "maximize"}, repeats=3)
    for folder, value in zip(outcome.folders(tmp_path, sweep), (0.4, 0.5, 0.6), strict=True):
        write(folder, "ok", {**FULL, METRIC: value})
    found = outcome.read(tmp_path, sweep)
    half = 4.302653 * 0.1 / math.sqrt(3)  # Student's t with two degrees of freedom
    assert found.repeats == [0.4, 0.5, 0.6]
    assert found.metrics[METRIC] == pytest.approx(0.5)
    assert found.metrics[f"{METRIC}_ci_low"] == pytest.approx(0.5 - half, abs=1e-6)
    assert found.metrics[f"{METRIC}_ci_high"] == pytest.approx(0.5 + half, abs=1e-6)
    assert found.metrics[f"{METRIC}_base"] == pytest.approx(0.1)


@pytest.mark.parametrize(("last", "state"), [("running", "unfinished"), ("pruned", "pruned"), ("failed", "failed")])
def test_repeats_are_as_far_as_the_last(tmp_path: Path, seeking: Callable[..., SweepConfig], last: str, state: str) -> None:
    sweep = seeking({METRIC: "maximize"}, repeats=2)
    first, second = outcome.folders(tmp_path, sweep)
    write(first, "ok", FULL)
    assert outcome.read(tmp_path, sweep).state == "unfinished"
    write(second, last)
    assert outcome.read(tmp_path, sweep).state == state
