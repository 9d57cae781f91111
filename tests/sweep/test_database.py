"""A study in PostgreSQL: shared by processes, and whole whenever its server was killed."""

import threading
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from optuna.testing.pytest_storages import StorageTestCase
from tests.postgres import Postgres, needs_postgres, running

from trivium.errors import TriviumError
from trivium.sweep import database
from trivium.sweep.storage import open_storage

pytestmark = needs_postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running() as found:
        yield found


@pytest.fixture
def uri(server: Postgres, request: pytest.FixtureRequest) -> str:
    """An empty database."""
    return server.uri(f"of_{abs(hash(request.node.name))}")


def study_in(uri: str, folder: Path, again: bool = False) -> Any:
    import optuna

    return optuna.create_study(storage=open_storage(uri, folder, None, again), study_name="s", load_if_exists=True)


def work(uri: str, folder: Path, trials: int) -> None:
    """A worker without any lock of its own."""
    study = study_in(uri, folder)
    for _ in range(trials):
        trial = study.ask()
        trial.set_user_attr("x", trial.suggest_float("loss.alpha", 0, 1))
        study.tell(trial, 1.0)


def test_processes_share_one_study(uri: str, tmp_path: Path) -> None:
    workers = [get_context("spawn").Process(target=work, args=(uri, tmp_path, 8)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    trials = study_in(uri, tmp_path).trials
    assert [t.number for t in trials] == list(range(16))
    assert all(t.state.name == "COMPLETE" and t.user_attrs["x"] == t.params["loss.alpha"] for t in trials)


def test_a_server_that_is_killed_again_and_again_costs_no_call(server: Postgres, uri: str, tmp_path: Path) -> None:
    study, told = study_in(uri, tmp_path), []
    over = threading.Event()

    def killer() -> None:
        while not over.wait(1.0):
            server.kill()
            server.start()

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        for value in range(20):
            trial = study.ask()
            trial.suggest_float("x", 0, 1)
            trial.report(0.5, 1)
            trial.set_user_attr("value", value)
            study.tell(trial, value)
            told.append(trial.number)
            time.sleep(0.05)
    finally:
        over.set()
        thread.join()
    trials = {trial.number: trial for trial in study_in(uri, tmp_path, again=True).trials}
    assert [trials[number].value for number in told] == list(range(20))
    assert all(trials[number].user_attrs["value"] == trials[number].value for number in told)


def test_a_study_that_was_open_is_opened_again_when_its_server_is_back(server: Postgres, uri: str, tmp_path: Path) -> None:
    study_in(uri, tmp_path).enqueue_trial({"x": 1})
    server.kill()
    back = threading.Timer(1.5, server.start)
    back.start()
    assert len(study_in(uri, tmp_path, again=True).trials) == 1
    back.join()


def test_a_server_that_stays_away_is_told_in_a_sentence(
    server: Postgres, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "SECONDS", 0.5)
    study = study_in(uri, tmp_path)
    server.kill()
    try:
        with pytest.raises(
            TriviumError, match=r"the study's database postgresql.* was away for 0.5 s .*the same command again"
        ):
            _ = study.trials
        with pytest.raises(TriviumError, match=r"cannot be opened: .*refused.*; check its address"):
            study_in(uri, tmp_path)
    finally:
        server.start()


class TestDatabase(StorageTestCase):  # type: ignore[misc]
    """What Optuna asks of every storage, by its own tests."""

    @pytest.fixture
    def storage(self, uri: str, tmp_path: Path) -> Any:
        return open_storage(uri, tmp_path, None)
