import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trivium.errors import Pruned, TrackingError
from trivium.schema import Config, MlflowTracking, NoneConfig
from trivium.sweep.runs import TrialRecord, close_trial, finish_parent, open_parent, reconcile
from trivium.tracking import open_tracker
from trivium.tracking.resend import resend
from trivium.tracking.store import connect, search
from trivium.trial import Place

SPEC = {
    "params": {"loss.alpha": "interval(0, 8)", "adapter.r": "choice(4, 8)"},
    "objectives": ["maximize eval/source_preference"],
    "constraints": ["eval/general_ppl_ratio <= 1.1"],
    "n_trials": 4,
    "sampler": "tpe",
    "pruner": "median",
    "seed": 0,
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> MlflowTracking:
    """One database for all tests, since making one takes seconds; each test has a study of its own."""
    return MlflowTracking(uri=f"sqlite:///{tmp_path_factory.mktemp('runs')}/mlflow.db", timeout=20)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture
def tracked(config_of: Callable[..., Config], database: MlflowTracking) -> Config:
    return replace(config_of(), tracking=database)


def tags_of(study: str, number: int) -> dict[str, str]:
    return {"study": study, "trial": str(number), "trivium.kind": "trial", "trivium.trial": f"{study}/{number}"}


def record(study: str, number: int, state: str, folder: Path, run_id: str | None = None) -> TrialRecord:
    values = [0.5 + number / 100] if state == "COMPLETE" else None
    return TrialRecord(number, state, values, run_id, folder, f"t{number:03d} alpha={number}", tags_of(study, number))


def train(config: Config, folder: Path, place: Place, ending: BaseException | None = None) -> str | None:
    """What a trial leaves: its folder, and what it can of an MLflow run."""
    folder.mkdir(parents=True)
    (folder / "config.resolved.yaml").write_text("seed: 3\nloss:\n  alpha: 2.0\nsweep:\n  n_trials: 4\n")
    try:
        with open_tracker(config, folder, "trial", place) as tracker:
            tracker.params({"seed": 3, "loss.alpha": 2.0, "sweep.n_trials": 4})
            for step in range(5):
                tracker.metrics({"loss": 1.0 / (step + 1), "nll": float(step)}, step)
            tracker.dataset("train", "d" * 64, "somewhere", "training")
            if ending:
                raise ending
            tracker.metrics({"eval/source_preference": 0.7})
            status = "ok"
    except Pruned:
        status = "pruned"
    (folder / "result.json").write_text(json.dumps({"status": status, "metrics": {"eval/source_preference": 0.7}}))
    return tracker.run_id


def children(tracking: Any, parent: str | None) -> dict[str, Any]:
    found = list(search(connect(tracking), {"mlflow.parentRunId": str(parent)}))
    assert len({run.data.tags["trivium.trial"] for run in found}) == len(found)
    return {run.data.tags["trivium.trial"].split("/")[1]: run for run in found}


def losses(tracking: Any, run_id: str) -> list[tuple[int, float]]:
    return [(metric.step, metric.value) for metric in connect(tracking).client.get_metric_history(run_id, "loss")]


LOSSES = [(step, 1.0 / (step + 1)) for step in range(5)]


def test_a_study_is_one_run_however_often_it_is_opened(database: MlflowTracking) -> None:
    client = connect(database).client
    parent = open_parent(database, "one", {**SPEC, "id": "abc"})
    assert finish_parent(database, parent, "ok", {"best": 0.9}, answer="**Best**: 2")
    assert finish_parent(database, parent, "ok", {"best": 0.9}, answer="**Best**: 2")
    assert client.get_run(parent).data.tags["mlflow.note.content"].count("**Best**: 2\n\n**one**: a search") == 1
    assert client.get_run(parent).info.status == "FINISHED"
    assert open_parent(database, "one", {**SPEC, "n_trials": 9, "id": "abc"}, parent) == parent
    assert open_parent(database, "one", {**SPEC, "n_trials": 9, "id": "abc"}) == parent  # its id was lost
    assert open_parent(database, "one", {**SPEC, "id": "another"}) != parent
    run = client.get_run(parent)
    assert run.info.status == "RUNNING"
    assert run.data.params["space/loss.alpha"] == "interval(0, 8)"
    assert run.data.params["objectives"] == "maximize eval/source_preference"
    assert (run.data.tags["n_trials"], run.data.tags["trivium.kind"]) == ("9", "study")
    assert "| `adapter.r` | `choice(4, 8)` |" in run.data.tags["mlflow.note.content"]


def test_a_study_whose_run_was_deleted_comes_back(database: MlflowTracking) -> None:
    client = connect(database).client
    parent = open_parent(database, "deleted", SPEC)
    client.delete_run(parent)
    assert open_parent(database, "deleted", SPEC, parent) == parent
    assert client.get_run(parent).info.lifecycle_stage == "active"
    assert open_parent(database, "deleted", SPEC, "0" * 32) not in (None, "0" * 32)


def test_without_mlflow_a_study_has_no_run(tmp_path: Path) -> None:
    tracking = NoneConfig()
    assert open_parent(tracking, "none", SPEC) is None
    assert not close_trial(tracking, None, "COMPLETE", [1.0], "t")
    assert not finish_parent(tracking, None, "ok", {})
    assert reconcile(tracking, None, [record("none", 0, "COMPLETE", tmp_path)], set()) == []


def test_a_study_that_cannot_begin_in_mlflow_says_the_way_out() -> None:
    with pytest.raises(TrackingError, match=r"MLflow at http://127.0.0.1:9 cannot be used.*tracking=none"):
        open_parent(MlflowTracking(uri="http://127.0.0.1:9", timeout=1), "far", SPEC)


@pytest.mark.parametrize(("state", "status"), [("COMPLETE", "FINISHED"), ("PRUNED", "KILLED"), ("FAIL", "FAILED")])
def test_a_trial_is_closed_once(tracked: Config, tmp_path: Path, state: str, status: str) -> None:
    client = connect(tracked.tracking).client
    parent = open_parent(tracked.tracking, f"close {state}", SPEC)
    run_id = train(tracked, tmp_path / "t", Place(parent, tags=tags_of(f"close {state}", 0)))
    assert client.get_run(run_id).info.status == "RUNNING"
    values = [0.25, 2.0] if state == "COMPLETE" else None
    assert close_trial(tracked.tracking, run_id, state, values, "t000 alpha=2")
    first = client.get_run(run_id)
    assert close_trial(tracked.tracking, run_id, state, values, "")
    assert client.get_run(run_id).info.end_time == first.info.end_time
    assert (first.info.status, first.data.tags["state"], first.info.run_name) == (status, state, "t000 alpha=2")
    assert len(client.get_metric_history(run_id, "objective_0")) == (1 if values else 0)
    assert first.data.params == {"seed": "3", "loss.alpha": "2.0"}
    assert first.data.tags["mlflow.parentRunId"] == parent


def test_crashes_leave_nothing_open_and_nothing_twice(tracked: Config, tmp_path: Path) -> None:
    study, tracking = "crashes", tracked.tracking
    parent = open_parent(tracking, study, SPEC)
    places = [Place(parent, tags=tags_of(study, number)) for number in range(8)]
    whole = train(tracked, tmp_path / "0", places[0])
    away = replace(tracked, tracking=MlflowTracking(uri="http://127.0.0.1:9", timeout=1))
    assert train(away, tmp_path / "1", places[1]) is None
    train(away, tmp_path / "2", places[2])
    torn = begun(tracking, places[2])  # its process died before the study knew the run
    with (tmp_path / "2" / "metrics.jsonl").open("a") as file:
        file.write('{"time": 17, "metr')
    killed, now, later = begun(tracking, places[3]), begun(tracking, places[4]), begun(tracking, places[7])
    train(tracked, tmp_path / "5", places[5], Pruned("hopeless"))
    double = [begun(tracking, replace(places[6], parent=parent)) for _ in range(2)]
    trials = [
        record(study, 0, "COMPLETE", tmp_path / "0", whole),
        record(study, 1, "COMPLETE", tmp_path / "1"),
        record(study, 2, "COMPLETE", tmp_path / "2"),
        record(study, 3, "FAIL", tmp_path / "3", killed),
        record(study, 4, "RUNNING", tmp_path / "4"),
        record(study, 5, "PRUNED", tmp_path / "5"),
        record(study, 6, "FAIL", tmp_path / "6", double[1]),
    ]
    mended = reconcile(tracking, parent, trials, {later})
    assert [line.split(":")[0] for line in mended] == [f"trial {number}" for number in (0, 1, 2, 3, 5, 6, 6)]
    assert mended[1] == "trial 1: its run was made, filled from its folder, ended"
    runs = children(tracking, parent)
    assert [runs[str(number)].info.status for number in range(8)] == [
        *("FINISHED", "FINISHED", "FINISHED", "FAILED", "RUNNING", "KILLED", "FAILED", "RUNNING")
    ]
    assert (runs["2"].info.run_id, runs["4"].info.run_id, runs["6"].info.run_id) == (torn, now, double[1])
    for number in "012":
        run = runs[number]
        assert run.data.params == {"seed": "3", "loss.alpha": "2.0"}
        assert run.data.metrics["objective"] == 0.5 + int(number) / 100
        assert run.data.metrics["eval/source_preference"] == 0.7
        assert losses(tracking, run.info.run_id) == LOSSES
        assert run.data.tags["status"] == "ok"
        assert len(run.inputs.dataset_inputs) == 1
    assert runs["5"].data.tags["status"] == "pruned"
    assert reconcile(tracking, parent, trials, {later}) == []


def begun(tracking: MlflowTracking, place: Place) -> str:
    """A run whose process was killed right after it was made."""
    store = connect(tracking)
    tags = {**place.tags, "mlflow.parentRunId": str(place.parent)}
    return str(store.client.create_run(store.experiment_id, tags=tags).info.run_id)


def test_a_run_that_nobody_works_on_is_ended(database: MlflowTracking) -> None:
    parent = open_parent(database, "confirm", SPEC)
    tags = {"trivium.kind": "confirm", "trivium.trial": "confirm/best-10000"}
    done = begun(database, Place(parent, tags=tags | {"status": "ok"}))
    dead = begun(database, Place(parent, tags=tags | {"trivium.trial": "confirm/best-10001"}))
    working = begun(database, Place(parent, tags=tags | {"trivium.trial": "confirm/best-10002"}))
    assert len(reconcile(database, parent, [], {working})) == 2
    client = connect(database).client
    assert [client.get_run(run).info.status for run in (done, dead, working)] == ["FINISHED", "FAILED", "RUNNING"]


def test_what_is_sent_again_is_not_there_twice(tracked: Config, tmp_path: Path) -> None:
    parent = open_parent(tracked.tracking, "again", SPEC)
    run_id = train(tracked, tmp_path / "t", Place(parent, tags=tags_of("again", 0)))
    assert run_id is not None
    assert resend(connect(tracked.tracking).client, run_id, tmp_path / "t") == 0
    assert losses(tracked.tracking, run_id) == LOSSES


def test_the_answer_is_kept_with_its_files(database: MlflowTracking, tmp_path: Path) -> None:
    parent = open_parent(database, "answer", SPEC)
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "history.html").write_text("<p>")
    (tmp_path / "report.html").write_text("<p>")
    files = [tmp_path / "plots", tmp_path / "report.html", tmp_path / "missing.yaml"]
    assert finish_parent(database, parent, "failed", {"best/objective": 0.9}, files, {"best": "loss.alpha=2"})
    client = connect(database).client
    run = client.get_run(parent)
    assert (run.info.status, run.data.tags["best"], run.data.metrics) == ("FAILED", "loss.alpha=2", {"best/objective": 0.9})
    assert sorted(file.path for file in client.list_artifacts(parent)) == ["plots", "report.html"]


def test_the_trials_of_a_study_stand_beside_each_other_in_a_view_of_their_own(database: MlflowTracking) -> None:
    store = connect(database)
    spec = {**SPEC, "objectives": ["minimize eval/general_ppl", "maximize eval/discernment"], "n_trials": None}
    parent = open_parent(database, "viewed", spec)
    kept = store.client.get_experiment(store.experiment_id).tags[f"mlflow.sharedViewState.{parent}"]
    view = json.loads(kept)
    state = json.loads(view["state"])
    assert view["name"] == "study viewed" and len(kept) < 5000
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`objective_0`", True)
    assert {"params.`loss.alpha`", "metrics.`eval/discernment_ci_low`", "tags.`state`"} <= set(state["selectedColumns"])
    trial = begun(database, Place(parent, tags=tags_of("viewed", 0)))
    begun(database, Place(parent, tags={"trivium.kind": "confirm", "trivium.trial": "viewed/best-1"}))
    found = store.client.search_runs([store.experiment_id], state["searchFilter"], order_by=[f"{state['orderByKey']} ASC"])
    assert [run.info.run_id for run in found] == [trial]
    note = store.client.get_run(parent).data.tags["mlflow.note.content"]
    assert f"(#/experiments/{store.experiment_id}/runs?viewStateShareKey={parent}&compareRunsMode=CHART)" in note


class Server:
    """An MLflow server on a port of its own, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.uri, self._folder = f"http://127.0.0.1:{self._port}", folder

    def start(self) -> None:
        store = ["--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "mlartifacts"]
        at = ["--host", "127.0.0.1", "--port", str(self._port), "--workers", "1"]
        command = [sys.executable, "-m", "mlflow", "server", *store, *at]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, cwd=self._folder, start_new_session=True, **quiet)
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=2)
                return
            except OSError:
                time.sleep(0.25)
        raise TimeoutError(self.uri)

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path)
    running.start()
    yield running
    running.kill()


@pytest.mark.slow
def test_a_server_killed_under_a_trial_loses_nothing(config_of: Callable[..., Config], server: Server, tmp_path: Path) -> None:
    study, tracking = "killed", MlflowTracking(uri=server.uri, timeout=30)
    config = replace(config_of(), tracking=tracking)
    parent = open_parent(tracking, study, SPEC)
    places = [Place(parent, tags=tags_of(study, number)) for number in range(3)]
    with open_tracker(config, tmp_path / "0", "interrupted", places[0]) as tracker:
        with open_tracker(config, tmp_path / "2", "left alone", places[2]) as left:
            for trial in (tracker, left):
                trial.metrics({"loss": 1.0}, 0)
            server.kill()
            left.metrics({"loss": 0.5}, 1)
        assert not close_trial(tracking, left.run_id, "COMPLETE", [0.52], "t002")
        for step in range(1, 5):
            tracker.metrics({"loss": 1.0 / (step + 1)}, step)
        tracker.tag("proxy_gold_divergence", "true")
        tracker.dataset("train", "d" * 64, "somewhere", "training")
        assert train(config, tmp_path / "1", places[1]) is None
        server.start()
    assert losses(tracking, str(tracker.run_id)) == LOSSES
    ids = [tracker.run_id, None, left.run_id]
    trials = [record(study, number, "COMPLETE", tmp_path / str(number), run_id) for number, run_id in enumerate(ids)]
    assert len(reconcile(tracking, parent, trials, set())) == 3
    runs = children(tracking, parent)
    assert {run.info.status for run in runs.values()} == {"FINISHED"} and len(runs) == 3
    assert [runs[str(number)].data.metrics["objective"] for number in range(3)] == [0.5, 0.51, 0.52]
    assert runs["0"].data.tags["proxy_gold_divergence"] == "true"
    assert losses(tracking, runs["1"].info.run_id) == LOSSES
    assert losses(tracking, str(left.run_id)) == [(0, 1.0), (1, 0.5)]
    assert reconcile(tracking, parent, trials, set()) == []
