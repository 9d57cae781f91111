"""Whole sweeps from the command line, killed at random moments: nothing is lost, nothing counts twice, nothing is left open."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from trivium.schema import MlflowTracking
from trivium.sweep.spec import load
from trivium.sweep.study import Search

SPACE = ["sweep=alpha", "loss.alpha=interval(0,8)", "sweep.points=[{loss.alpha: 5.0}, {loss.alpha: 0.0}]"]
PATIENT = ["sweep.retries=50", "sweep.max_failure_rate=1.0"]
"""So many accidents are the test's doing, and not a point's."""


class Command:
    """`trivium -m …` on one study, started again whenever it was killed."""

    def __init__(self, home: Path, words: list[str]) -> None:
        self.home, self.study = home, home / "study"
        self._words = ["-m", *SPACE, *words, f"hydra.sweep.dir={self.study}", f"tracking.uri=sqlite:///{home}/mlflow.db"]
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

    def kill_one(self, rng: random.Random) -> None:
        """SIGKILL the sweeper, or one of its workers where there is one."""
        workers = self.workers()
        if workers and rng.random() < 0.6:
            kill(rng.choice(workers))
        else:
            self.process.kill()
            self.process.wait()

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

    def start(*words: str) -> Command:
        made.append(Command(tmp_path, [*(word for word in fast if word != "tracking=none"), *PATIENT, *words]))
        return made[0]

    yield start
    for one in made:
        one.close()


def killed_at_random(command: Command, kills: int, seed: int, pause: tuple[float, float]) -> None:
    rng = random.Random(seed)
    for _ in range(kills):
        time.sleep(rng.uniform(*pause))
        command.kill_one(rng)
        command.keep_going()


def require_whole(command: Command, total: int) -> None:
    """The asked total, each point once, every result on disk, and nothing left open in MLflow."""
    search = command.search()
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
    require_ended(command, search, {trial.number for trial in finished})


def require_ended(command: Command, search: Search, finished: set[int]) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{command.home}/mlflow.db")
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


@pytest.mark.slow
@pytest.mark.parametrize("storage", ["sqlite", "journal", "mlflow"])
def test_twenty_kills_lose_nothing(command: Callable[..., Command], storage: str) -> None:
    sweep = command("sweep.n_trials=16", f"sweep.storage={storage}", "sweep.workers=2")
    killed_at_random(sweep, 20, seed=len(storage), pause=(0.5, 8))
    for _ in range(3):  # the last kills may have come so fast that a sweeper gave up
        if sweep.finish(300) == 0:
            break
    assert sweep.process.returncode == 0, sweep.said()[-2000:]
    require_whole(sweep, 16)
