"""Trials at work: real ones of a second each."""

import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from trivium.errors import Pruned, TrackingError
from trivium.sweep import running
from trivium.sweep.running import label, tell


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["loss.alpha=0.123456789"], "t007 alpha=0.1235"),
        (["reward=format", "adapter.r=8"], "t007 reward=format r=8"),
        (["adapter.target_modules=[q_proj,v_proj]"], "t007 target_modules=[q_proj,v_proj]"),
        ([], "t007"),
    ],
)
def test_a_trial_is_called_by_what_differs(overrides: list[str], name: str) -> None:
    assert label(7, overrides) == name


class Reported:
    def __init__(self, hopeless: bool = False, away: bool = False) -> None:
        self.said: list[tuple[float, int]] = []
        self.hopeless, self.away = hopeless, away

    def report(self, value: float, step: int) -> None:
        if self.away:
            raise TrackingError("nobody answers")
        self.said.append((value, step))

    def should_prune(self) -> bool:
        return self.hopeless


def test_an_estimate_is_reported_and_may_be_the_end() -> None:
    going, ending, away = Reported(), Reported(hopeless=True), Reported(away=True)
    tell(going, 0.5, 25, "so far")
    assert going.said == [(0.5, 25)]
    with pytest.raises(Pruned, match="pruned: so far"):
        tell(ending, 0.1, 25, "so far")
    tell(away, 0.5, 25, "a storage that is away costs the report, not the trial")


def test_trials_are_ordinary_runs_that_share_what_they_can(bench: Any) -> None:
    search = bench.run("sweep.n_trials=2", "sweep.points=[{loss.alpha: 5.0}]")
    finished = search.finished()
    assert [trial.state.name for trial in finished] == ["COMPLETE"] * 2
    assert finished[0].params == {"loss.alpha": 5.0}
    for trial in finished:
        folder = search.folder_of(trial.number)
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        assert result["status"] == "ok"
        assert trial.values == [result["metrics"]["eval/source_preference"]]
        assert {"config.resolved.yaml", "metrics.jsonl", "adapter", "evaluation"} <= {p.name for p in folder.iterdir()}
        assert f"alpha: {trial.params['loss.alpha']}" in (folder / "config.resolved.yaml").read_text(encoding="utf-8")
    base = json.loads((search.spec.folder / "base.json").read_text(encoding="utf-8"))
    assert finished[0].user_attrs["metrics"]["eval/source_preference_base"] == base["eval/source_preference"]


def test_a_resumed_sweep_is_an_uninterrupted_one(bench: Any, told: Any) -> None:
    words = ("method.learning_rate=tag(log, interval(1e-3, 1))", "+sweep.sampler_args.n_startup_trials=1")
    whole = bench.run("sweep.n_trials=4", *words, name="whole")
    bench.run("sweep.n_trials=1", *words, name="parts")
    parts = bench.run("sweep.n_trials=4", *words, name="parts")
    assert told(parts) == told(whole)
    assert len(told(whole)) == 4


def test_repeats_train_with_other_seeds_and_one_of_them_is_recorded(bench: Any) -> None:
    tracking = ["tracking=mlflow", f"tracking.uri=sqlite:///{bench.home}/mlflow.db"]
    search = bench.run("sweep.n_trials=1", "sweep.repeats=2", "sweep.points=[{loss.alpha: 5.0}]", *tracking)
    (trial,) = search.finished()
    results = [json.loads((search.folder_of(0) / f"repeat_{i}" / "result.json").read_text(encoding="utf-8")) for i in range(2)]
    values = [result["metrics"]["eval/source_preference"] for result in results]
    assert trial.user_attrs["repeats"] == values
    assert trial.values == [pytest.approx(sum(values) / 2)]
    assert results[0]["metrics"]["train/loss"] != results[1]["metrics"]["train/loss"]
    assert [result["mlflow_run_id"] for result in results] == [trial.user_attrs["run_id"], None]
    assert runs(search.tracking.uri) == [("FINISHED", "0", "COMPLETE")]


def runs(uri: str) -> list[tuple[str, str, str]]:
    import mlflow

    client = mlflow.MlflowClient(uri)
    found = client.search_runs([one.experiment_id for one in client.search_experiments()])
    return [(run.info.status, run.data.tags["trial"], run.data.tags["state"]) for run in found]


def test_a_trial_that_cannot_be_trained_fails_with_its_reason_and_the_sweep_goes_on(bench: Any) -> None:
    words = ["loss.alpha=1", "dataset.targets.min_samples=1000", "dataset.gate=choice(warn, strict)"]
    search = bench.run("sweep.n_trials=1", "sweep.points=[{dataset.gate: strict}, {dataset.gate: warn}]", *words)
    (failed,) = search.failures()
    assert failed.params == {"dataset.gate": "strict"}
    assert failed.user_attrs["reason"].startswith("data gate: poor: 138 training samples")
    assert [trial.params for trial in search.finished()] == [{"dataset.gate": "warn"}]


@contextmanager
def memory(more: int) -> Iterator[None]:
    """At most so many bytes beyond what this process has mapped already."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_a_trial_out_of_memory_fails_with_its_reason_and_the_sweep_goes_on(bench: Any) -> None:
    words = ["loss.alpha=1", "model.build.intermediate_size=choice(16, 16384)", "sweep.max_failure_rate=1"]
    points = "sweep.points=[{model.build.intermediate_size: 16}, {model.build.intermediate_size: 16384}]"
    bench.run("sweep.n_trials=1", points, *words)
    with memory(128 * 2**20):
        search = bench.run("sweep.n_trials=2", points, *words)
    failed = search.failures()
    assert {trial.params["model.build.intermediate_size"] for trial in failed} == {16384}
    assert all("can't allocate memory" in trial.user_attrs["reason"] for trial in failed)
    assert len(search.finished()) == 2


def test_an_objective_that_is_not_measured_is_told_before_any_trial(bench: Any) -> None:
    from trivium.errors import ConfigError

    with pytest.raises(ConfigError, match=r"eval/nothing is not measured.*known here: .*eval/source_preference"):
        bench.run("sweep.n_trials=1", "sweep.constraints=['eval/nothing <= 1']")
    assert bench.open().trials("COMPLETE", "RUNNING") == []
    assert not os.path.exists(bench.home / "study" / "trials")


def test_a_fresh_process_for_each_trial_leaves_after_one(bench: Any) -> None:
    from trivium.sweep import worker

    bench.begin("sweep.n_trials=2", "sweep.fresh_process=true")
    folder: Path = bench.home / "study"
    assert worker.work(folder)
    assert len(bench.open().finished()) == 1
    assert worker.work(folder)
    assert not worker.work(folder)
    assert len(bench.open().finished()) == 2
    assert running.tags("s", 3)["trial"] == "3"
