"""Whole sweeps from the command line, killed at random moments: nothing is lost, nothing counts twice, nothing is left open."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from tests.postgres import Postgres, needs_postgres, running

from trivium.schema import MlflowTracking
from trivium.sweep.spec import load
from trivium.sweep.study import Search

SPACE = ["sweep.points=[{loss.alpha: 5.0}, {loss.alpha: 0.0}]"]
PATIENT = ["sweep.retries=50", "sweep.max_failure_rate=1.0"]
"""So many accidents are the test's doing, and not a point's."""


class Command:
    """`trivium -m …` on one study, started again whenever it was killed."""

    def __init__(self, home: Path, words: list[str]) -> None:
        self.home, self.study = home, home / "study"
        self._words = ["-m", f"tracking.uri=sqlite:///{home}/mlflow.db", *words, f"hydra.sweep.dir={self.study}"]
        self._log = (home / "log").open("ab")
        self.process = self._start()
        self.starts = 1

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "trivium", *self._words]
        return subprocess.Popen(
            command, cwd=self.home, stdout=self._log, stderr=self._log, env={**os.environ, "COLUMNS": "200"}
        )

    def workers(self) -> list[psutil.Process]:
        """The workers of this study that live, whoever started them."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "trivium.sweep.worker" in words and str(self.study) in words:
                found.append(process)
        return found

    def kill_one(self, rng: random.Random) -> str:
        """SIGKILL the sweeper, or one of its workers where there is one; who was killed."""
        workers = self.workers()
        if workers and rng.random() < 0.6:
            kill(rng.choice(workers))
            return "worker"
        self.process.kill()
        self.process.wait()
        return "sweeper"

    def keep_going(self) -> None:
        """Start it again if it is gone."""
        if self.process.poll() is not None:
            self.process, self.starts = self._start(), self.starts + 1

    def finish(self, timeout: float) -> int:
        """Wait for its end, starting it again once if that was a kill; the exit code."""
        self.keep_going()
        return self.process.wait(timeout)

    def search(self) -> Search:
        """The study, as it is now."""
        return Search(load(self.study), MlflowTracking(uri=f"sqlite:///{self.home}/mlflow.db"))

    def said(self) -> str:
        """All that was printed so far."""
        return (self.home / "log").read_text(encoding="utf-8")

    def close(self) -> None:
        """Leave no process behind."""
        for process in (*self.workers(), psutil.Process(self.process.pid) if self.process.poll() is None else None):
            if process is not None:
                kill(process)
        self._log.close()


def kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


@pytest.fixture
def command(tmp_path: Path, fast: list[str]) -> Iterator[Callable[..., Command]]:
    """Starts a sweep that is recorded in MLflow."""
    made = []

    def start(*words: str, after: Sequence[str] = SPACE) -> Command:
        kept = (word for word in fast if word != "tracking=none")
        made.append(Command(tmp_path, ["sweep=alpha", *kept, *PATIENT, *words, *after]))
        return made[0]

    yield start
    for one in made:
        one.close()


class Server:
    """An MLflow server on the database of a command, killed and started again."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.uri, self._home = f"http://127.0.0.1:{self._port}", home
        self.start()
        for _ in range(480):
            if self._answers():
                return
            time.sleep(0.25)
        raise TimeoutError(self.uri)

    def _answers(self) -> bool:
        try:
            return bool(urllib.request.urlopen(f"{self.uri}/health", timeout=2))
        except OSError:
            return False

    def start(self) -> None:
        kept = {"--backend-store-uri": f"sqlite:///{self._home}/mlflow.db", "--artifacts-destination": f"{self._home}/files"}
        words = [word for pair in (kept | {"--host": "127.0.0.1", "--port": str(self._port)}).items() for word in pair]
        command = [sys.executable, "-m", "mlflow", "server", *words]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": self._home, "start_new_session": True}
        self._process = subprocess.Popen([*command, "--workers", "1"], **quiet)

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def killed_at_random(
    command: Command, kills: int, seed: int, pause: tuple[float, float], database: "Postgres | None" = None
) -> Counter[str]:
    """Who was killed how often."""
    rng, killed = random.Random(seed), Counter[str]()
    for _ in range(kills):
        time.sleep(rng.uniform(*pause))
        if database is not None and rng.random() < 0.3:
            database.kill()
            time.sleep(rng.uniform(0, 3))
            database.start()
            killed["database"] += 1
        else:
            killed[command.kill_one(rng)] += 1
        command.keep_going()
    return killed


def require_whole(command: Command, total: int, recorded: "MlflowTracking | None" = None) -> None:
    """The asked total, each point once and the given ones among them, every result on disk, nothing left open in MLflow."""
    recorded = recorded or MlflowTracking(uri=f"sqlite:///{command.home}/mlflow.db")
    search = Search(load(command.study), recorded)
    finished = search.finished()
    assert len(finished) == total
    assert search.trials("RUNNING") == []
    points = [trial.params["loss.alpha"] for trial in finished]
    assert len(set(points)) == total
    assert {5.0, 0.0} <= set(points)
    for trial in finished:
        result = json.loads((search.folder_of(trial.number) / "result.json").read_text(encoding="utf-8"))
        assert result["status"] == "ok"
        assert [result["metrics"]["eval/source_preference"]] == trial.values
    require_ended(recorded.uri, {trial.number for trial in finished})


def require_ended(uri: str, finished: set[int]) -> None:
    import mlflow

    client = mlflow.MlflowClient(uri)
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(experiments, max_results=1000)
    assert [run.info.run_name for run in runs if run.info.status == "RUNNING"] == []
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert parent.info.status == "FINISHED"
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    counted = [run for run in children if run.data.tags["state"] == "COMPLETE"]
    assert sorted(int(run.data.tags["trial"]) for run in counted) == sorted(finished)
    assert {run.info.status for run in counted} == {"FINISHED"}
    assert all("objective" in run.data.metrics for run in counted)


def test_three_kills_lose_nothing(command: Callable[..., Command]) -> None:
    sweep = command("sweep.n_trials=5")
    killed_at_random(sweep, 3, seed=1, pause=(3, 9))
    assert sweep.finish(200) == 0, sweep.said()[-2000:]
    require_whole(sweep, 5)


@needs_postgres
@pytest.mark.long
@pytest.mark.parametrize("storage", ["sqlite", "journal", "mlflow", "env:STUDY_DB"])
def test_twenty_kills_lose_nothing(command: Callable[..., Command], storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the sweeper, its workers, and the database behind MLflow, which with two of the storages holds the study too."""
    with running() as database:
        monkeypatch.setenv("STUDY_DB", database.uri("study"))
        recorded = MlflowTracking(uri=database.uri("mlflow"), timeout=20)
        where = [f"tracking.uri={recorded.uri}", "tracking.timeout=20", f"sweep.storage={storage}"]
        sweep = command("sweep.n_trials=16", *where, "sweep.workers=2")
        killed = killed_at_random(sweep, 20, len(storage), (0.5, 8), database)
        for _ in range(3):  # the last kills may have come so fast that a sweeper gave up
            if sweep.finish(300) == 0:
                break
        assert sweep.process.returncode == 0, sweep.said()[-2000:]
        require_whole(sweep, 16, recorded)
    assert killed.total() == 20 and len(killed) == 3


@pytest.mark.long
@pytest.mark.parametrize("storage", ["sqlite", "mlflow"])
def test_a_server_killed_again_and_again_costs_nothing(command: Callable[..., Command], tmp_path: Path, storage: str) -> None:
    server = Server(tmp_path)
    try:
        sweep = command("sweep.n_trials=8", f"tracking.uri={server.uri}", "tracking.timeout=20", f"sweep.storage={storage}")
        for pause in (12, 6, 6):
            time.sleep(pause)
            server.kill()
            time.sleep(1)
            server.start()
        assert sweep.finish(300) == 0, sweep.said()[-2000:]
        require_whole(sweep, 8, MlflowTracking(uri=server.uri))
    finally:
        server.kill()


# --- hard places -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_trial_that_does_not_end_is_given_up(command: Callable[..., Command]) -> None:
    endless = ["loss.alpha=1", "method.max_steps=choice(2, 10000000)", "sweep.trial_timeout=12", "sweep.confirm=0"]
    points = "sweep.points=[{method.max_steps: 10000000}, {method.max_steps: 2}]"
    sweep = command(*endless, "sweep.n_trials=1", after=[points])
    assert sweep.finish(200) == 0, sweep.said()[-2000:]
    search = sweep.search()
    assert [trial.params["method.max_steps"] for trial in search.finished()] == [2]
    reasons = {trial.user_attrs["reason"] for trial in search.trials("FAIL") if "reason" in trial.user_attrs}
    assert reasons == {"it gave no result within sweep.trial_timeout=12 seconds"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte; only root can have one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True).returncode != 0:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.slow
def test_a_full_disk_is_told_and_the_same_command_goes_on(
    trivium: Callable[..., "subprocess.CompletedProcess[str]"], small_disk: Path, fast: list[str]
) -> None:
    words = ["-m", "sweep=alpha", *fast, f"hydra.sweep.dir={small_disk / 'study'}", "sweep.n_trials=15"]
    stopped = trivium(*words)
    assert stopped.returncode == 1
    assert "no space is left for" in stopped.stderr and "finished trials are kept" in stopped.stderr
    assert len(stopped.stderr.splitlines()) == 1, stopped.stderr
    done = len(Search(load(small_disk / "study"), None).finished())
    assert 0 < done < 15
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    assert trivium(*words).returncode == 0
    trials = Search(load(small_disk / "study"), None).finished()
    assert len({trial.params["loss.alpha"] for trial in trials}) == len(trials) == 15
