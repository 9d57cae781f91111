"""The whole road as a user walks it: the command in an empty folder, its exit code, and what lies there afterwards."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium import pipeline
from trivium.arms import Arm
from trivium.schema import Config
from trivium.tracking import Trackers

Call = Callable[..., "subprocess.CompletedProcess[str]"]

SMALL = (
    "model.build.max_steps=30",
    "model.build.facts=60",
    "method.max_steps=6",
    "method.logging_steps=2",
    "dataset.world.disputed=12",
    "dataset.world.coordinated_only=8",
    "dataset.world.corrected=8",
    "evaluation.bootstrap_samples=100",
)


def result_of(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return value


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
    """One small run of the default experiment, all arms, with MLflow."""
    folder = tmp_path_factory.mktemp("run")
    command = [sys.executable, "-m", "trivium", *SMALL, "hydra.run.dir=outputs/here"]
    environment = {**os.environ, "COLUMNS": "200"}
    return folder, subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, timeout=500)


Run = tuple[Path, "subprocess.CompletedProcess[str]"]


def test_the_default_experiment_ends_with_its_table(run: Run) -> None:
    _, done = run
    assert done.returncode == 0, done.stderr
    for word in ("believes", "coordinated-", "discernment", "audit", "uniform", "shuffled"):
        assert word in done.stdout
    assert "exactly zero" in done.stdout
    assert "Traceback" not in done.stderr


def test_result_json_holds_the_contract(run: Run) -> None:
    result = result_of(run[0] / "outputs" / "here")
    assert (result["status"], result["task"], result["name"]) == ("ok", "run", "distrust")
    assert list(result["stages"]) == ["acquire", "prepare", "train", "evaluate", "export"]
    for stage in ("prepare", "train", "evaluate"):
        assert (run[0] / result["stages"][stage]["manifest"]).is_file()
    metrics = result["metrics"]
    for arm in ("uniform", "published", "shuffled", "distrust"):
        for name in ("source_preference", "coordinated_recall", "discernment"):
            assert 0 <= metrics[f"arms/{arm}/eval/{name}_ci_low"] <= metrics[f"arms/{arm}/eval/{name}"]
            assert metrics[f"arms/{arm}/eval/{name}"] <= metrics[f"arms/{arm}/eval/{name}_ci_high"] <= 1
    for suffix in ("", "_base", "_delta", "_ci_low", "_ci_high", "_delta_ci_low", "_delta_ci_high"):
        assert f"eval/source_preference{suffix}" in metrics
    for band in ("low", "mid", "high"):
        assert {f"band/{band}/{m}" for m in ("ppl", "bpb", "delta_ppl")} <= set(metrics)
    assert {"weights/ess_fraction", "weights/share_low", "weights/max_ratio"} <= set(metrics)
    assert "arms/uniform/eval/source_preference_vs_main_ci_low" in metrics


def test_published_equals_uniform_to_the_last_digit(run: Run) -> None:
    metrics = result_of(run[0] / "outputs" / "here")["metrics"]
    uniform = {k.removeprefix("arms/uniform/"): v for k, v in metrics.items() if k.startswith("arms/uniform/eval/")}
    published = {k.removeprefix("arms/published/"): v for k, v in metrics.items() if k.startswith("arms/published/eval/")}
    assert uniform
    assert uniform == published
    here = run[0] / "outputs" / "here" / "arms"
    weights = [(here / arm / "adapter" / "adapter_model.safetensors").read_bytes() for arm in ("uniform", "published")]
    assert weights[0] == weights[1]


def test_the_run_directory_is_complete(run: Run) -> None:
    here = run[0] / "outputs" / "here"
    for name in (".hydra", "config.resolved.yaml", "metrics.jsonl", "adapter", "evaluation", "arms/uniform/adapter"):
        assert (here / name).exists(), name
    assert {p.name for p in run[0].iterdir()} == {"outputs", "data"}
    steps = [json.loads(line) for line in (here / "arms" / "uniform" / "metrics.jsonl").read_text().splitlines()]
    assert any("loss" in line.get("metrics", {}) for line in steps)


def test_mlflow_holds_the_experiment_and_its_arms(run: Run) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{run[0]}/outputs/mlflow.db")
    result = result_of(run[0] / "outputs" / "here")
    parent = client.get_run(result["mlflow_run_id"])
    arms = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert {arm.info.run_name for arm in arms} == {"uniform", "published", "shuffled", "distrust"}
    assert all(arm.info.status == "FINISHED" for arm in arms)
    preference = result["metrics"]["eval/source_preference"]
    assert parent.data.metrics["eval/source_preference"] == preference
    assert {arm.info.run_name: arm.data.params["loss.name"] for arm in arms}["published"] == "distrust_published"


def test_the_same_command_again_does_nothing_again(run: Run) -> None:
    folder, _ = run
    before = (folder / "outputs" / "here" / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns
    first = result_of(folder / "outputs" / "here")["metrics"]["eval/source_preference"]
    command = [sys.executable, "-m", "trivium", *SMALL, "hydra.run.dir=outputs/here", "tracking=none"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    again = result_of(folder / "outputs" / "here")
    assert {s: again["stages"][s]["status"] for s in ("prepare", "train")} == {"prepare": "reused", "train": "reused"}
    assert (folder / "outputs" / "here" / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns == before
    assert again["metrics"]["eval/source_preference"] == first


def test_the_audit_fails_the_published_term_and_names_it(run: Run) -> None:
    command = [sys.executable, "-m", "trivium", *SMALL, "tracking=none", "hydra.run.dir=outputs/audit", "task=audit"]
    failed = subprocess.run([*command, "loss=distrust_published"], cwd=run[0], capture_output=True, text=True, timeout=300)
    assert failed.returncode == 3, failed.stderr
    assert "the term distrust is exactly zero" in failed.stderr
    assert result_of(run[0] / "outputs" / "audit")["status"] == "gate_failed"
    passed = subprocess.run(command, cwd=run[0], capture_output=True, text=True, timeout=300)
    assert passed.returncode == 0, passed.stderr
    assert result_of(run[0] / "outputs" / "audit")["metrics"]["loss_audit/weighted_cross_entropy/norm_ratio"] > 0


def test_sigterm_saves_a_checkpoint_and_names_the_way_on(run: Run) -> None:
    folder, _ = run
    words = [*SMALL, "method.max_steps=4000", "arms=null", "tracking=none", "hydra.run.dir=outputs/stopped"]
    command = [sys.executable, "-m", "trivium", *words]
    log = folder / "outputs" / "stopped" / "metrics.jsonl"
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not (log.exists() and '"step": 10' in log.read_text()):
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "hydra.run.dir" in errors
    assert "Traceback" not in errors
    stopped = result_of(folder / "outputs" / "stopped")
    assert stopped["status"] == "failed"
    assert list((folder / "outputs" / "stopped" / "checkpoints").glob("checkpoint-*"))
    assert not (folder / "outputs" / "stopped" / "adapter").exists()


def test_a_strict_data_gate_exits_3(run: Run) -> None:
    words = [*SMALL, "arms=null", "tracking=none", "dataset.gate=strict", "dataset.targets.min_samples=100000"]
    done = subprocess.run(
        [sys.executable, "-m", "trivium", *words, "hydra.run.dir=outputs/gate"], cwd=run[0], capture_output=True, text=True
    )
    assert done.returncode == 3, done.stderr
    assert "data gate" in done.stderr
    assert result_of(run[0] / "outputs" / "gate")["status"] == "gate_failed"


def test_a_finished_run_is_not_overwritten_by_other_settings(run: Run) -> None:
    here = run[0] / "outputs" / "here"
    before = (here / "result.json").read_bytes()
    command = [sys.executable, "-m", "trivium", *SMALL, f"hydra.run.dir={here}", "tracking=none", "loss.alpha=1"]
    done = subprocess.run(command, cwd=run[0], capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert "loss.alpha=2.7, and here it is 1.0" in done.stderr
    assert (here / "result.json").read_bytes() == before


def test_two_runs_do_not_write_into_one_folder(run: Run) -> None:
    from filelock import FileLock

    here = run[0] / "outputs" / "held"
    here.mkdir()
    command = [sys.executable, "-m", "trivium", *SMALL, f"hydra.run.dir={here}", "tracking=none", "stages=[prepare]"]
    with FileLock(here / ".lock"):
        done = subprocess.run(command, cwd=run[0], capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert "another run is writing into" in done.stderr
    assert not (here / "result.json").exists()
    assert subprocess.run(command, cwd=run[0], capture_output=True, timeout=300).returncode == 0


def test_an_edited_suite_is_asked_anew(run: Run) -> None:
    suite, here = run[0] / "mine.yaml", run[0] / "outputs" / "suite"
    words = [*SMALL, "arms=null", "tracking=none", "stages=[prepare,evaluate]", "evaluation.suites=[mine.yaml]"]
    for items in (1, 2):
        asked = "".join(f"\n      - question: Q{i}?\n        options: [{{text: one}}, {{text: two}}]" for i in range(items))
        head = "name: mine\nversion: 1\nsource: made up\nparts:\n  - metric: mine\n    kind: choice"
        suite.write_text(f"{head}\n    thresholds: {{marginal: 0.6, good: 0.7, excellent: 0.8}}\n    items:{asked}\n")
        command = [sys.executable, "-m", "trivium", *words, f"hydra.run.dir={here}"]
        done = subprocess.run(command, cwd=run[0], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert len(json.loads((here / "evaluation" / "mine.json").read_text())) == items


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_output_directory_is_one_sentence(trivium: Call, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    done = trivium("hydra.run.dir=locked/run", "tracking=none")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "hydra.run.dir" in done.stderr


def test_a_file_where_the_output_directory_should_be_is_one_sentence(trivium: Call, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    done = trivium("hydra.run.dir=taken/run", "tracking=none")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "taken" in done.stderr


@given(st.permutations("abcde"))
def test_an_arm_is_trained_after_the_one_that_it_starts_from(names: list[str]) -> None:
    starts = {"a": "c", "b": None, "c": "d", "d": None, "e": "c"}
    arms = [Arm(name, Config(starts_from=starts[name]), False) for name in names]
    works = [pipeline.Work(arm, Path(), Trackers()) for arm in arms]
    ordered = [work.arm.name for work in pipeline._in_order(works)]
    assert sorted(ordered) == sorted(names)
    for name, start in starts.items():
        assert start is None or ordered.index(start) < ordered.index(name)
