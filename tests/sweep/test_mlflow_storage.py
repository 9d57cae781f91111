import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.testing.pytest_storages import StorageTestCase

from trivium.errors import TrackingError
from trivium.schema import MlflowTracking, SweepConfig
from trivium.sweep import mlflow_record, search
from trivium.sweep.mlflow_storage import MlflowStorage, run_id
from trivium.sweep.storage import open_storage
from trivium.tracking.store import connect


def tracking_in(folder: Path) -> MlflowTracking:
    return MlflowTracking(uri=f"sqlite:///{folder}/mlflow.db", timeout=5)


def study_in(folder: Path, where: str = "mlflow", **settings: Any) -> Any:
    import optuna

    storage = open_storage(where, folder, tracking_in(folder))
    return optuna.create_study(storage=storage, study_name="s", load_if_exists=True, **settings)


def space() -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    return {
        "loss.alpha": FloatDistribution(1e-3, 8, log=True),
        "adapter.r": IntDistribution(4, 64, step=4),
        "loss": CategoricalDistribution(["uniform", "distrust", None, 2.5]),
    }


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database that exists: the first request to a new one takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    connect(tracking_in(folder))
    return folder


@pytest.fixture
def folder(database: Path, tmp_path: Path) -> Path:
    shutil.copy(database / "mlflow.db", tmp_path)
    return tmp_path


class TestOptunasOwnContract(StorageTestCase):  # type: ignore[misc]
    """What Optuna asks of every storage, by its own tests."""

    @pytest.fixture
    def storage(self, database: Path, request: pytest.FixtureRequest) -> Any:
        tracking = tracking_in(database)
        tracking.experiment = request.node.name
        return MlflowStorage(tracking, database / "storage.lock")


# --- the same search as in a database ---------------------------------------------------------------------------------


def play(study: Any, config: SweepConfig, trials: int) -> list[dict[str, Any]]:
    """A sequential sweep that fails, prunes and completes trials."""
    import optuna

    for i in range(trials):
        study.sampler = search.sampler(config, space(), search.asked(study.get_trials(deepcopy=False)))
        trial = study.ask(space())
        value = trial.params["loss.alpha"] + trial.params["adapter.r"] / 64
        if i % 6 == 5:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        pruned = False
        for step in (25, 50) if len(study.directions) == 1 else ():
            trial.report(value / step, step)
            pruned = pruned or trial.should_prune()
        values = [value, -value][: len(study.directions)]
        study.tell(trial, None if pruned else values, state=optuna.trial.TrialState.PRUNED if pruned else None)
    return [{"state": t.state.name, "values": t.values, "reports": t.intermediate_values, **t.params} for t in study.trials]


@pytest.mark.parametrize("directions", [["minimize"], ["minimize", "maximize"]])
def test_proposals_prunings_and_values_are_those_of_a_database(directions: list[str], folder: Path) -> None:
    objectives = [f"{one} eval/{one}" for one in directions]
    config = SweepConfig(
        objectives=objectives, sampler_args={"n_startup_trials": 4}, pruner="median" if len(directions) == 1 else "none"
    )
    mine = play(study_in(folder, pruner=search.pruner(config), directions=directions), config, 14)
    assert mine == play(study_in(folder, "sqlite", pruner=search.pruner(config), directions=directions), config, 14)
    states = {row["state"] for row in mine}
    assert states == ({"COMPLETE", "FAIL", "PRUNED"} if len(directions) == 1 else {"COMPLETE", "FAIL"})


def test_what_runs_log_and_what_becomes_of_them_does_not_touch_the_study(folder: Path) -> None:
    from mlflow.entities import Metric, Param

    study = study_in(folder, directions=["minimize", "maximize"])
    first = play(study, SweepConfig(), 3)
    store, parent = connect(tracking_in(folder)), run_id(study._study_id)
    for name in ("t000 alpha=2", "best-1"):
        run = store.client.create_run(store.experiment_id, run_name=name, tags={"mlflow.parentRunId": parent}).info.run_id
        metrics = [Metric(key, 9.0, 0, step) for key in ("value", "value_0", "loss", "intermediate_value") for step in range(3)]
        store.client.log_batch(run, metrics=metrics, params=[Param("loss.alpha", "2.0")])
    store.client.log_batch(parent, metrics=metrics, params=[Param("loss.alpha", "2")])
    store.client.set_terminated(run, "FAILED")
    store.client.delete_run(run)
    store.client.set_terminated(parent, "FINISHED")
    assert play(study, SweepConfig(), 0) == play(study_in(folder), SweepConfig(), 0) == first
    assert play(study_in(folder), SweepConfig(), 2)[:3] == first


def test_the_study_is_a_run_that_the_ui_can_show(folder: Path) -> None:
    study = study_in(folder)
    play(study, SweepConfig(), 2)
    run = connect(tracking_in(folder)).client.get_run(run_id(study._study_id))
    assert run.info.run_name == "s"
    assert {key for key in run.data.tags if not key.startswith("mlflow.")} == {"optuna.study", "optuna.directions"}
    assert max(len(value) for value in run.data.tags.values()) < 8000


# --- records ----------------------------------------------------------------------------------------------------------

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@settings(deadline=None)
@given(
    attrs=st.dictionaries(st.text(), plain | st.lists(plain), max_size=4),
    reports=st.dictionaries(st.integers(0, 10**6), st.floats(allow_nan=False), max_size=30),
    length=st.integers(0, 30_000),
)
def test_a_trial_comes_back_from_its_tags_as_it_was(attrs: dict[str, Any], reports: dict[int, float], length: int) -> None:
    from optuna.trial import TrialState, create_trial

    kinds = space()
    trial = create_trial(
        state=TrialState.PRUNED,
        value=float("-inf"),
        params={"loss.alpha": 0.1, "adapter.r": 8, "loss": None},
        distributions=kinds,
        user_attrs=attrs,
        system_attrs={"long": "é" * length},
        intermediate_values=reports,
    )
    rows = mlflow_record.rows("000007", mlflow_record.trial_record(trial))
    assert max(map(len, rows.values())) < 8000 and all(key.startswith("mlflow.optuna.000007") for key in rows)
    shrunk = {**mlflow_record.rows("000007", {"x": "y" * 50_000}), **rows}
    trial.number, trial._trial_id = 7, 70
    assert mlflow_record.frozen_trial(70, 7, json.loads(mlflow_record.text(shrunk, "000007"))) == trial
    assert mlflow_record.numbers(shrunk) == [7]


def test_what_mlflow_would_cut_or_refuse_is_kept_whole(database: Path) -> None:
    storage = MlflowStorage(MlflowTracking(uri=tracking_in(database).uri, experiment="long"), database / "storage.lock")
    study_id = storage.create_new_study([], 'it\'s a "study" % `of` mine')
    trial_id = storage.create_new_trial(study_id)
    storage.set_trial_system_attr(trial_id, "cma:optimizer:0 (eval/x <= 1.1)", "f" * 40_000)
    storage.set_study_system_attr(study_id, "ids", list(range(10_000)))
    again = MlflowStorage(storage._tracking, database / "storage.lock")
    assert again.get_study_id_from_name('it\'s a "study" % `of` mine') == study_id
    assert again.get_trial(trial_id).system_attrs == {"cma:optimizer:0 (eval/x <= 1.1)": "f" * 40_000}
    assert again.get_study_system_attrs(study_id) == {"ids": list(range(10_000))}


# --- several processes, and deaths ------------------------------------------------------------------------------------


def work(folder: Path, trials: int) -> None:
    """A worker without any lock of its own."""
    study = study_in(folder)
    for _ in range(trials):
        trial = study.ask(space())
        trial.set_user_attr("pid", os.getpid())
        study.tell(trial, 1.0)


def test_processes_that_open_and_ask_at_once_share_one_study(folder: Path) -> None:
    context = get_context("spawn")
    workers = [context.Process(target=work, args=(folder, 4)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    study = study_in(folder)
    assert len(study._storage.get_all_studies()) == 1
    assert [t.number for t in study.trials] == list(range(8))
    assert {t.state.name for t in study.trials} == {"COMPLETE"}
    assert sorted(sum(t.user_attrs["pid"] == w.pid for t in study.trials) for w in workers) == [4, 4]


def test_a_waiting_point_is_claimed_once(folder: Path) -> None:
    study_in(folder).enqueue_trial({"loss.alpha": 2.0})
    claims: list[float] = []

    def claim(study: Any) -> None:
        start.wait()
        claims.append(study.ask(space()).params["loss.alpha"])

    start, studies = threading.Barrier(4), [study_in(folder) for _ in range(4)]
    threads = [threading.Thread(target=claim, args=(study,)) for study in studies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(claims), claims.count(2.0)) == (4, 1)


WORKER = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_mlflow_storage import space, study_in
study = study_in(Path(sys.argv[1]))
trial = study.ask(space())
trial.set_user_attr("worker", "w1")
trial.report(0.5, 25)
print(trial.params, flush=True)
time.sleep(60)
"""


def test_what_a_killed_worker_was_at_is_there_for_the_others(folder: Path) -> None:
    from optuna.trial import TrialState

    code = WORKER.format(tests=str(Path(__file__).parent))
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        params = worker.stdout.readline().strip()
        worker.send_signal(signal.SIGKILL)
    study = study_in(folder)
    (left,) = study.get_trials(deepcopy=False)
    assert (left.state.name, str(left.params), left.user_attrs) == ("RUNNING", params, {"worker": "w1"})
    assert left.intermediate_values == {25: 0.5}
    study.tell(0, state=TrialState.FAIL)
    study.add_trial(search.again(left, {"deaths": 1}))
    assert str(study.ask(space()).params) == params


def test_two_hundred_trials_stay_quick(folder: Path) -> None:
    from mlflow.entities import RunTag
    from optuna.trial import create_trial

    client, identifier = connect(tracking_in(folder)).client, run_id(study_in(folder)._study_id)
    attrs = {"overrides": ["loss.alpha=0.1"], "metrics": {f"eval/m{i}": 0.5 for i in range(12)}, "folder": "x" * 80}
    for start in (0, 100):
        rows: dict[str, str] = {}
        for i in range(start, start + 100):
            params = {"loss.alpha": 0.1 + i / 100, "adapter.r": 8, "loss": None}
            trial = create_trial(value=i / 7, params=params, distributions=space(), user_attrs=attrs)
            rows |= mlflow_record.rows(mlflow_record.named(i), mlflow_record.trial_record(trial))
        client.log_batch(identifier, tags=[RunTag(key, value) for key, value in rows.items()])
    study = study_in(folder)
    begun = time.monotonic()
    assert len(study.get_trials(deepcopy=False)) == 200
    cold = time.monotonic()
    study.get_trials(deepcopy=False)
    warm = time.monotonic()
    study.sampler = search.sampler(SweepConfig(), space(), 200)
    study.tell(study.ask(space()), 1.0)
    end = time.monotonic()
    print(f"cold {cold - begun:.3f} s, warm {warm - cold:.3f} s, ask and tell {end - warm:.3f} s")
    assert (cold - begun < 1, warm - cold < 0.3, end - warm < 2) == (True, True, True)


# --- a server that goes away ------------------------------------------------------------------------------------------


class Server:
    """An MLflow server on a port that stays the same when it comes back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.tracking = MlflowTracking(uri=f"http://127.0.0.1:{self._port}", timeout=60)

    def start(self) -> None:
        store = ["--backend-store-uri", f"sqlite:///{self._folder}/mlflow.db", "--workers", "1"]
        command = [sys.executable, "-m", "mlflow", "server", *store, "--host", "127.0.0.1", "--port", str(self._port)]
        self._process = subprocess.Popen(
            command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def await_health(self) -> None:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{self.tracking.uri}/health", timeout=2)
                return
            except OSError:
                time.sleep(0.5)
        raise TimeoutError(self.tracking.uri)

    def kill(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    server.start()
    yield server
    server.kill()


@pytest.mark.long
def test_a_server_that_is_killed_is_waited_for(server: Server, tmp_path: Path) -> None:
    import optuna

    server.await_health()
    study = optuna.create_study(storage=open_storage("mlflow", tmp_path, server.tracking), study_name="away")
    trial = study.ask(space())
    server.kill()
    threading.Timer(1, server.start).start()
    study.tell(trial, 1.5)
    assert [t.value for t in study.trials] == [1.5]
    server.kill()
    server.tracking.timeout = 1
    with pytest.raises(TrackingError, match=r"was away for 3 s .* the study goes on where it was"):
        study.ask(space())


def test_a_server_that_is_not_there_is_waited_for_so_long_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    begun = time.monotonic()
    with pytest.raises(TrackingError, match=r"MLflow at http://127.0.0.1:9 cannot be used"):
        open_storage("mlflow", tmp_path, MlflowTracking(uri="http://127.0.0.1:9", timeout=1))
    assert 3 <= time.monotonic() - begun < 20
    assert [r.message.endswith("waiting for it, 3 s at most.") for r in caplog.records if "sweep" in r.name] == [True]


def test_a_study_whose_run_was_deleted_is_told(folder: Path) -> None:
    study = study_in(folder)
    connect(tracking_in(folder)).client.delete_run(run_id(study._study_id))
    with pytest.raises(TrackingError, match=r"was deleted; MLflow can restore"):
        study.ask(space())
    assert study_in(folder)._study_id != study._study_id
