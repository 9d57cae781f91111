import json
import sqlite3
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from trivium.errors import GateError, TrackingError
from trivium.schema import Config, MlflowTracking
from trivium.tracking import JsonlTracker, open_tracker

Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def tracked(config_of: Callable[..., Config], tmp_path: Path) -> Config:
    return replace(config_of(), tracking=MlflowTracking(uri=f"sqlite:///{tmp_path}/db/mlflow.db", timeout=1))


def read_jsonl(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_jsonl_lines_are_on_disk_at_once(tmp_path: Path) -> None:
    tracker = JsonlTracker(tmp_path)
    tracker.metrics({"loss": 1.5}, 3)
    (line,) = read_jsonl(tmp_path / "metrics.jsonl")
    assert (line["step"], line["metrics"]) == (3, {"loss": 1.5})


def test_mlflow_holds_params_metrics_datasets_files_and_children(tracked: Config, tmp_path: Path) -> None:
    import mlflow

    note = tmp_path / "note.txt"
    note.write_text("kept")
    with open_tracker(tracked, tmp_path / "run", "one") as tracker:
        tracker.params({f"key{i}": i for i in range(120)} | {"long": "x" * 9000})
        tracker.metrics({"eval/a b": 0.5, "bad": float("nan")}, 1)
        tracker.dataset("train", "d" * 64, "somewhere", "training")
        tracker.artifact(note)
        child = tracker.child("uniform", tmp_path / "run" / "arms" / "uniform")
        child.metrics({"eval/x": 1.0})
        child.finish("ok")
    client = mlflow.MlflowClient(tracked.tracking.uri)
    run = client.get_run(str(tracker.run_id))
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"eval/a b": 0.5}
    assert len(run.data.params) == 121
    assert run.inputs.dataset_inputs[0].dataset.digest == "d" * 36
    assert [f.path for f in client.list_artifacts(run.info.run_id)] == ["note.txt"]
    (row,) = client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    assert row.data.metrics == {"eval/x": 1.0}
    assert not (Path.cwd() / "mlruns").exists()


def test_a_gate_that_fails_marks_the_run(tracked: Config, tmp_path: Path) -> None:
    import mlflow

    with pytest.raises(GateError), open_tracker(tracked, tmp_path / "run", "one") as tracker:
        raise GateError("poor")
    run = mlflow.MlflowClient(tracked.tracking.uri).get_run(str(tracker.run_id))
    assert (run.info.status, run.data.tags["status"]) == ("FAILED", "gate_failed")


def test_a_locked_database_is_one_sentence(tracked: Config, tmp_path: Path) -> None:
    with open_tracker(tracked, tmp_path / "first", "one"):
        pass
    lock = sqlite3.connect(tmp_path / "db" / "mlflow.db")
    lock.execute("BEGIN EXCLUSIVE")
    try:
        with (
            pytest.raises(TrackingError, match=r"database is locked.*tracking=none"),
            open_tracker(tracked, tmp_path / "b", "x"),
        ):
            pass
    finally:
        lock.close()


def test_a_server_that_is_not_there_is_one_sentence_soon(trivium: Call) -> None:
    started = time.monotonic()
    done = trivium("tracking.uri=http://127.0.0.1:9", "tracking.timeout=5", "stages=[prepare]")
    assert done.returncode == 1
    assert "MLflow at http://127.0.0.1:9 cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - started < 60
