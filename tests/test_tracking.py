import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from trivium.errors import GateError, Pruned, TrackingError
from trivium.schema import Config, MlflowTracking, WandbTracking
from trivium.tracking import JsonlTracker, Tracker, open_tracker
from trivium.tracking.store import connect
from trivium.trial import Place

Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One database for all tests, since making one takes seconds."""
    return tmp_path_factory.mktemp("tracking") / "db" / "mlflow.db"


@pytest.fixture
def tracked(config_of: Callable[..., Config], database: Path) -> Config:
    return replace(config_of(), tracking=MlflowTracking(uri=f"sqlite:///{database}", timeout=1))


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


def test_a_run_that_goes_on_adds_no_point_for_what_a_step_has_told(tracked: Config, tmp_path: Path) -> None:
    import mlflow

    for _ in range(2):
        with open_tracker(tracked, tmp_path / "run", "one") as tracker:
            tracker.metrics({"eval_loss": 1.25}, 60)
            tracker.metrics({"eval_loss": 1.25, "eval/x": 0.5})
    history = mlflow.MlflowClient(tracked.tracking.uri).get_metric_history
    assert [(m.step, m.value) for m in history(str(tracker.run_id), "eval_loss")] == [(60, 1.25)]
    assert [(m.step, m.value) for m in history(str(tracker.run_id), "eval/x")] == [(0, 0.5)]


def test_a_finished_run_stays_finished_whatever_is_added_to_it(tracked: Config, tmp_path: Path) -> None:
    import mlflow

    with open_tracker(tracked, tmp_path / "run", "one") as first:
        pass
    with pytest.raises(GateError), open_tracker(tracked, tmp_path / "run", "one", run_id=first.run_id, kept="ok") as tracker:
        raise GateError("the export was refused")
    run = mlflow.MlflowClient(tracked.tracking.uri).get_run(str(tracker.run_id))
    assert tracker.run_id == first.run_id and (run.info.status, run.data.tags["status"]) == ("FINISHED", "ok")


@pytest.mark.parametrize(("error", "status", "told"), [(Pruned, "KILLED", "pruned"), (KeyboardInterrupt, "FAILED", "failed")])
def test_an_end_before_its_time_ends_the_arms_too(
    tracked: Config, tmp_path: Path, error: type[BaseException], status: str, told: str
) -> None:
    with pytest.raises(error), open_tracker(tracked, tmp_path / "run", "one") as tracker:
        done = tracker.child("done", tmp_path / "done")
        done.finish("ok")
        arm = tracker.child("arm", tmp_path / "arm")
        raise error("early")
    client = connect(tracked.tracking).client
    runs = [client.get_run(str(run_id)) for run_id in (tracker.run_id, arm.run_id, done.run_id)]
    assert [run.info.status for run in runs] == [status, status, "FINISHED"]
    assert [run.data.tags["status"] for run in runs] == [told, told, "ok"]


PLACE = Place(tags={"study": "alpha", "trial": "0", "trivium.kind": "trial", "trivium.trial": "alpha/0"})


def test_a_trial_is_recorded_below_its_study_and_left_open(tracked: Config, tmp_path: Path) -> None:
    with open_tracker(tracked, tmp_path / "parent", "alpha") as parent:
        pass
    place = replace(PLACE, parent=parent.run_id)
    with open_tracker(tracked, tmp_path / "run", "t000 alpha=1", place) as tracker:
        tracker.params({"loss.alpha": 1.0, "sweep.n_trials": 12})
        tracker.metrics({"loss": 0.5}, 3)
    run = connect(tracked.tracking).client.get_run(str(tracker.run_id))
    assert (run.info.status, run.info.run_name, run.data.tags["status"]) == ("RUNNING", "t000 alpha=1", "ok")
    assert run.data.params == {"loss.alpha": "1.0"}
    assert run.data.metrics == {"loss": 0.5}
    assert {**place.tags, "mlflow.parentRunId": parent.run_id}.items() <= run.data.tags.items()


@pytest.mark.parametrize("named", [True, False])
def test_a_trial_that_has_a_run_goes_on_in_it(tracked: Config, tmp_path: Path, named: bool) -> None:
    store = connect(tracked.tracking)
    place = replace(PLACE, parent=store.client.create_run(store.experiment_id).info.run_id)
    with pytest.raises(RuntimeError), open_tracker(tracked, tmp_path / "run", "before", place) as before:
        before.params({"loss.alpha": 1.0})
        raise RuntimeError("killed")
    store.client.set_terminated(before.run_id, "FAILED")
    place = replace(place, run_id=before.run_id) if named else place
    with open_tracker(tracked, tmp_path / "run", "after", place) as tracker:
        assert store.client.get_run(str(tracker.run_id)).info.status == "RUNNING"
        assert "status" not in store.client.get_run(str(tracker.run_id)).data.tags
        tracker.params({"loss.alpha": 2.0, "seed": 1})
    run = store.client.get_run(str(tracker.run_id))
    assert tracker.run_id == before.run_id
    assert (run.info.run_name, run.data.tags["status"]) == ("after", "ok")
    assert run.data.params == {"loss.alpha": "1.0", "seed": "1"}


def test_a_trial_does_without_a_server_that_is_not_there(
    tracked: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    away = replace(tracked, tracking=MlflowTracking(uri="http://127.0.0.1:9", timeout=1))
    for place in (PLACE, replace(PLACE, run_id="0" * 32)):
        caplog.clear()
        with open_tracker(away, tmp_path / "run", "t000", place) as tracker:
            tracker.metrics({"loss": 0.5}, 3)
        (warning,) = [r.getMessage() for r in caplog.records if r.name.startswith("trivium")]
        assert warning.startswith("MLflow at http://127.0.0.1:9 cannot be used") and warning.endswith(
            "The trial goes on without."
        )
        assert tracker.run_id is None
    assert [line["metrics"] for line in read_jsonl(tmp_path / "run" / "metrics.jsonl") if "metrics" in line] == [{"loss": 0.5}]


def test_a_trial_whose_run_was_lost_goes_on_without(tracked: Config, tmp_path: Path) -> None:
    with open_tracker(tracked, tmp_path / "run", "t000", replace(PLACE, run_id="0" * 32)) as tracker:
        tracker.metrics({"loss": 0.5}, 3)
    assert tracker.run_id is None


def test_a_run_that_goes_on_is_the_same_run_and_says_nothing_twice(tracked: Config, tmp_path: Path) -> None:
    """Killed after step 4 with a checkpoint at step 2, and before its last numbers had reached MLflow."""

    def told(tracker: Tracker, steps: range) -> None:
        for step in steps:
            tracker.metrics({"loss": 1 / step, "tokens_per_second": time.monotonic()}, step)
        tracker.metrics({"train/loss": 1 / steps[-1], "data/documents": 7.0})

    store = connect(tracked.tracking)
    with pytest.raises(KeyboardInterrupt), open_tracker(tracked, tmp_path, "before") as before:
        before.params({"loss.alpha": 1.0})
        told(before, range(1, 5))
        arm = before.child("uniform", tmp_path / "arms" / "uniform")
        told(arm, range(1, 3))
        raise KeyboardInterrupt
    with (tmp_path / "metrics.jsonl").open("a") as file:
        line = json.dumps({"time": time.time(), "step": 5, "metrics": {"loss": 0.2, "tokens_per_second": 9.0}})
        file.write(f"{line}\n{line[:30]}")  # the kill
    store.client.set_terminated(before.run_id, "RUNNING")
    with open_tracker(tracked, tmp_path, "after") as tracker:
        assert store.client.get_run(str(tracker.run_id)).info.status == "RUNNING"
        tracker.params({"loss.alpha": 2.0, "seed": 1})
        told(tracker, range(3, 8))
        child = tracker.child("uniform", tmp_path / "arms" / "uniform")
        told(child, range(1, 4))
    assert (tracker.run_id, child.run_id) == (before.run_id, arm.run_id)
    run = store.client.get_run(str(tracker.run_id))
    assert (run.info.status, run.info.run_name, run.data.params) == ("FINISHED", "before", {"loss.alpha": "1.0", "seed": "1"})
    for run_id, steps in ((tracker.run_id, 7), (child.run_id, 3)):
        history = store.client.get_metric_history(str(run_id), "loss")
        assert [(row.step, row.value) for row in history] == [(step, 1 / step) for step in range(1, steps + 1)]
        assert len(store.client.get_metric_history(str(run_id), "data/documents")) == 1
        assert store.client.get_run(str(run_id)).data.metrics["train/loss"] == 1 / steps
    steps = [line["step"] for line in read_jsonl(tmp_path / "metrics.jsonl") if line.get("step")]
    assert steps == [1, 2, 3, 4, 5, 6, 7]


def test_a_run_whose_run_of_mlflow_was_deleted_has_a_new_one(tracked: Config, tmp_path: Path) -> None:
    with open_tracker(tracked, tmp_path, "before") as before:
        before.metrics({"loss": 0.5}, 1)
    store = connect(tracked.tracking)
    store.client.delete_run(before.run_id)
    with open_tracker(tracked, tmp_path, "after") as after:
        after.metrics({"loss": 0.25}, 2)
    assert after.run_id != before.run_id
    assert store.client.get_run(str(after.run_id)).info.status == "FINISHED"


def test_records_go_out_together_and_in_order(tracked: Config, tmp_path: Path) -> None:
    with open_tracker(tracked, tmp_path / "run", "one") as tracker:
        for step in range(1500):
            tracker.metrics({"loss": float(step), "inf": float("inf")}, step)
        tracker.tag("word", "first")
        tracker.tag("word", "second")
    client = connect(tracked.tracking).client
    assert [metric.step for metric in client.get_metric_history(str(tracker.run_id), "loss")] == list(range(1500))
    assert client.get_run(str(tracker.run_id)).data.metrics == {"loss": 1499.0}
    assert client.get_run(str(tracker.run_id)).data.tags["word"] == "second"


def test_a_locked_database_is_one_sentence(tracked: Config, database: Path, tmp_path: Path) -> None:
    with open_tracker(tracked, tmp_path / "first", "one"):
        pass
    lock = sqlite3.connect(database)
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


TABLE: dict[str, list[object]] = {
    "prompt": ["Does Zari carry heat?", "Привет 你好 😀\n\x00"],
    "completion": ["", "x" * 5000],
    "right": [1.0, None],
    "nothing": [None, None],
    "advantage": [0.7071, -0.7071],
}


def test_a_table_is_parquet_on_disk_and_one_line_that_says_where(tmp_path: Path) -> None:
    import pyarrow.parquet

    tracker = JsonlTracker(tmp_path)
    tracker.table("completions", TABLE, 20)
    tracker.table("completions", TABLE | {"right": [0.0, 0.0]}, 40)
    lines = read_jsonl(tmp_path / "metrics.jsonl")
    assert [line["table"] for line in lines] == [
        "completions/completions_00020.parquet",
        "completions/completions_00040.parquet",
    ]
    read = pyarrow.parquet.read_table(tmp_path / str(lines[0]["table"]))
    assert read.to_pydict() == TABLE
    assert sorted(path.suffix for path in (tmp_path / "completions").iterdir()) == [".parquet"] * 2


def test_without_any_tracker_metrics_tables_and_tags_are_kept(config_of: Callable[..., Config], tmp_path: Path) -> None:
    with open_tracker(config_of("tracking=none"), tmp_path, "one") as tracker:
        tracker.metrics({"reward": 1.0}, 1)
        tracker.table("completions", TABLE, 1)
        tracker.tag("proxy_gold_divergence", "true")
    lines = read_jsonl(tmp_path / "metrics.jsonl")
    assert [next(iter(set(line) - {"time", "step", "value"})) for line in lines] == ["metrics", "table", "tag", "status"]
    assert (tmp_path / "completions" / "completions_00001.parquet").is_file()
    assert tracker.run_id is None


def test_mlflow_holds_tables_and_tags(tracked: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracked.tracking.uri)  # where load_table looks for runs

    with open_tracker(tracked, tmp_path / "run", "one") as tracker:
        tracker.table("completions", TABLE, 3)
        tracker.table("completions", TABLE, 6)
        tracker.tag("proxy_gold_divergence", "true")
    client = mlflow.MlflowClient(tracked.tracking.uri)
    run = client.get_run(str(tracker.run_id))
    assert run.data.tags["proxy_gold_divergence"] == "true"
    listed = [file.path for file in client.list_artifacts(run.info.run_id, "completions")]
    assert listed == ["completions/completions_00003.json", "completions/completions_00006.json"]
    read = client.load_table(run.info.experiment_id, listed[0], [run.info.run_id])
    assert list(read.columns) == list(TABLE)
    assert read["prompt"].tolist() == TABLE["prompt"]
    assert read["advantage"].tolist() == pytest.approx(TABLE["advantage"])
    assert read["right"][0] == 1.0 and read["right"].isna()[1]


@pytest.fixture
def offline(config_of: Callable[..., Config], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Config:
    """W&B without an account, a network or a home."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    return config_of("tracking=wandb")


def test_wandb_offline_writes_a_run_below_the_runs_folder(offline: Config, tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    assert isinstance(offline.tracking, WandbTracking) and offline.tracking.mode == "offline"
    with open_tracker(offline, tmp_path / "run", "one") as tracker:
        tracker.params({"method.beta": 0.1})
        tracker.metrics({"reward": 0.25, "rewards/facts/mean": 0.5}, 1)
        tracker.metrics({"eval/gold_reward": 0.75})
        tracker.table("completions", TABLE, 1)
        tracker.tag("proxy_gold_divergence", "true")
        tracker.dataset("train", "d" * 64, "somewhere", "training")
        child = tracker.child("uniform", tmp_path / "run" / "arms" / "uniform")
        child.metrics({"reward": 0.5}, 1)
        child.finish("ok")
    (written,) = (tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb")
    kept = (b"rewards/facts/mean", b"method.beta", b"eval/gold_reward", b"proxy_gold_divergence", b"completions")
    deadline = time.monotonic() + 20  # its service process writes on for a moment
    while time.monotonic() < deadline and not all(word in written.read_bytes() for word in kept):
        time.sleep(0.05)
    assert [word for word in kept if word not in written.read_bytes()] == []
    assert list((tmp_path / "run" / "arms" / "uniform" / "wandb").glob("offline-run-*/*.wandb"))
    assert len(read_jsonl(tmp_path / "run" / "metrics.jsonl")) == 6
    assert not (Path.cwd() / "wandb").exists()


def test_wandb_that_is_not_installed_is_one_sentence(offline: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with (
        pytest.raises(TrackingError, match=r"tracking=wandb needs the package wandb: pip install wandb"),
        open_tracker(offline, tmp_path, "one"),
    ):
        pass


def test_wandb_online_without_an_account_is_one_sentence(offline: Config, tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    config = replace(offline, tracking=WandbTracking(mode="online"))
    with (
        pytest.raises(TrackingError, match=r"W&B cannot be used .*wandb login.*tracking\.mode=offline"),
        open_tracker(config, tmp_path, "one"),
    ):
        pass
