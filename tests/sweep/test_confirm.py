"""The best point and the default, trained again with seeds that no trial had."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from trivium.compose import hydra_at
from trivium.sweep import confirm, worker


def results(study: Path) -> dict[str, dict[str, Any]]:
    return {
        path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(study.glob("confirm/*/result.json"))
    }


def test_the_best_and_the_default_are_trained_again_with_fresh_seeds(bench: Any) -> None:
    tracking = ["tracking=mlflow", f"tracking.uri=sqlite:///{bench.home}/mlflow.db"]
    words = ["sweep.n_trials=1", "sweep.points=[{loss.alpha: 5.0}]", *tracking]
    bench.run(*words, "sweep.confirm=1")
    study = bench.home / "study"
    found = results(study)
    assert list(found) == ["best-10000", "default-10000"]
    settings = {name: yaml.safe_load((study / "confirm" / name / "config.resolved.yaml").read_text("utf-8")) for name in found}
    assert all(config["seed"] == 10000 for config in settings.values())
    assert settings["best-10000"]["loss"]["alpha"] == 5.0
    assert settings["default-10000"]["loss"]["alpha"] != 5.0
    assert len(bench.open().finished()) == 1

    before = {name: (study / "confirm" / name / "result.json").stat().st_mtime_ns for name in found}
    interrupted = '{"status": "failed", "error": "interrupted"}'
    (study / "confirm" / "default-10000" / "result.json").write_text(interrupted, encoding="utf-8")
    bench.run(*words, "sweep.confirm=2")
    assert list(results(study)) == ["best-10000", "best-10001", "default-10000", "default-10001"]
    assert {result["status"] for result in results(study).values()} == {"ok"}
    assert (study / "confirm" / "best-10000" / "result.json").stat().st_mtime_ns == before["best-10000"]

    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{bench.home}/mlflow.db")
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()])
    kinds = [run.data.tags["trivium.kind"] for run in runs]
    assert sorted(kinds).count("confirm") >= 4


def test_nothing_is_confirmed_without_a_finished_trial(bench: Any) -> None:
    search = bench.begin("sweep.n_trials=1", "sweep.confirm=2")
    assert bench.wanted(search) == []


def test_a_best_point_that_is_the_default_is_trained_once(bench: Any) -> None:
    search = bench.begin("sweep.n_trials=1", "sweep.points=[{loss.alpha: 2.7}]", "sweep.confirm=2")
    with search.worker() as me:
        bench.end(search, search.claim(me), 0.9)
    assert [again.which for again in bench.wanted(search)] == ["best", "best"]


def test_of_a_front_the_ends_and_the_middle_are_confirmed(bench: Any) -> None:
    goals = "sweep.objectives=[maximize eval/source_preference, minimize eval/discernment]"
    search = bench.begin("sweep.n_trials=5", "sweep.confirm=1", "seed=3", goals)
    with search.worker() as me:
        for i in range(5):
            trial = search.claim(me)
            bench.wrote(search, trial.number, {"eval/source_preference": float(i), "eval/discernment": float(i)})
            search.study.tell(trial, [float(i), float(i)])
    chosen = bench.wanted(search)
    assert [again.which for again in chosen] == ["front-0", "front-2", "front-4", "default"]
    assert [again.seed for again in chosen] == [10003] * 4
    points = [trial.user_attrs["overrides"] for trial in search.trials("COMPLETE")]
    assert [again.overrides for again in chosen] == [points[4], points[2], points[0], []]


@pytest.mark.parametrize("limit", ["<= 0.5", ">= 9"])
def test_only_a_point_that_keeps_the_constraints_is_confirmed(bench: Any, limit: str) -> None:
    search = bench.begin("sweep.n_trials=2", f"sweep.constraints=['eval/discernment {limit}']", "sweep.confirm=1")
    with search.worker() as me:
        for value in (0.9, 0.4):
            trial = search.claim(me)
            bench.wrote(search, trial.number, {"eval/source_preference": value, "eval/discernment": value})
            from trivium.sweep import outcome

            search.settle(trial, outcome.read(search.folder_of(trial.number), search.sweep), 1.0)
    chosen = bench.wanted(search)
    if limit.startswith(">="):
        assert chosen == []
    else:
        assert [again.overrides for again in chosen] == [search.trials("COMPLETE")[1].user_attrs["overrides"], []]


def test_a_confirmation_that_cannot_be_trained_costs_only_itself(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, begun = confirm.run_in, list[str]()

    def breaking(config: Any, folder: Path, name: str, trial: Any) -> Any:
        begun.append(name)
        if name.startswith("default"):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return whole(config, folder, name, trial)

    monkeypatch.setattr(confirm, "run_in", breaking)
    bench.run("sweep.n_trials=1", "sweep.confirm=1")
    assert begun == ["best seed=10000", "default seed=10000"]
    assert list(results(bench.home / "study")) == ["best-10000"]


def test_what_the_base_model_gives_is_measured_before_any_trial(bench: Any) -> None:
    search = bench.begin("sweep.n_trials=1")
    with hydra_at():
        found = confirm.base_metrics(search, bench._check)
    assert 0 <= found["eval/source_preference"] <= 1
    assert not (search.spec.folder / "trials").exists()
    assert worker.BASE == "base.json"
