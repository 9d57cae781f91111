"""Whole sweeps by their command: totals, going on, interruptions, and two commands at once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from trivium.sweep.spec import load
from trivium.sweep.study import Search

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def command(study: Path, fast: list[str], *words: str) -> list[str]:
    return [sys.executable, "-m", "trivium", "-m", "sweep=alpha", *fast, f"hydra.sweep.dir={study}", *words]


def workers_of(study: Path) -> list[psutil.Process]:
    found = psutil.process_iter(["cmdline"])
    return [one for one in found if {"trivium.sweep.worker", str(study)} <= set(one.info["cmdline"] or [])]


def wait_for(what: Callable[[], Any], seconds: float = 120) -> Any:
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)
    return found


@pytest.fixture
def start(tmp_path: Path, fast: list[str]) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts a sweep of `tmp_path/study` and does not wait for it."""
    begun: list[subprocess.Popen[str]] = []

    def call(*words: str) -> "subprocess.Popen[str]":
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        environment = {**os.environ, "COLUMNS": "200"}
        begun.append(subprocess.Popen(command(tmp_path / "study", fast, *words), cwd=tmp_path, env=environment, **pipes))
        return begun[-1]

    yield call
    for process in (*begun, *workers_of(tmp_path / "study")):
        if process.poll() is None if isinstance(process, subprocess.Popen) else True:
            process.kill()


def finished(study: Path) -> list[Any]:
    return Search(load(study), None).finished() if (study / "study.db").exists() and (study / "study.json").exists() else []


def test_a_sweep_from_its_command_to_its_answer_and_on(
    trivium: Run, start: Callable[..., "subprocess.Popen[str]"], tmp_path: Path, fast: list[str]
) -> None:
    study, words = tmp_path / "study", ["sweep.points=[{loss.alpha: 5.0}]"]
    first = trivium(*command(study, fast, *words, "sweep.n_trials=3", "sweep.workers=2", "sweep.confirm=1")[3:])
    assert first.returncode == 0, first.stderr
    assert "maximize eval/source_preference over loss.alpha=interval(0, 8); 3 trials, in study" in first.stdout
    assert first.stdout.count("✓  t00") == 3
    made = {"report.html", "result.json", "plots", "conf", "trials", "confirm", "study.json", "study.db"}
    assert made <= set(os.listdir(study))
    assert json.loads((study / "result.json").read_text(encoding="utf-8"))["status"] == "ok"
    assert len({trial.user_attrs["worker"] for trial in finished(study)}) <= 2
    values = [trial.values for trial in finished(study)]

    fewer = trivium(*command(study, fast, *words, "sweep.n_trials=2")[3:])
    assert fewer.returncode == 2
    assert "sweep.n_trials=2 is below the 3 finished trials of the study alpha; give at least 3" in fewer.stderr
    assert load(study).sweep.n_trials == 3
    other = trivium(*command(study, fast, *words, "sweep.n_trials=4", "adapter.r=choice(2,4)")[3:])
    assert other.returncode == 2
    assert "was begun with sweep.params={loss.alpha: interval(0, 8)}, and here it is" in other.stderr

    going_on = start(*words, "sweep.n_trials=6")
    wait_for(lambda: len(finished(study)) > 3)
    going_on.send_signal(signal.SIGINT)
    said, _ = going_on.communicate(timeout=60)
    assert going_on.returncode == 1, said
    assert "going on with the study in study" in said
    assert "interrupted; what was finished is kept: the same command goes on from there" in said
    assert "Traceback" not in said
    assert not workers_of(study)

    last = trivium(*command(study, fast, *words, "sweep.n_trials=6")[3:])
    assert last.returncode == 0, last.stderr
    assert len(finished(study)) == 6
    assert [trial.values for trial in finished(study)[:3]] == values


def test_two_commands_at_once_share_a_study(start: Callable[..., "subprocess.Popen[str]"], tmp_path: Path) -> None:
    tracking = ["tracking=mlflow", f"tracking.uri=sqlite:///{tmp_path}/mlflow.db"]
    both = [start("sweep.n_trials=4", *tracking) for _ in range(2)]
    said = [process.communicate(timeout=240)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], "\n".join(said)
    trials = finished(tmp_path / "study")
    assert len(trials) == 4
    assert len({trial.params["loss.alpha"] for trial in trials}) == 4

    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()])
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert sum(run.data.tags["trivium.kind"] == "study" for run in runs) == 1
    assert sum(run.data.tags["trivium.kind"] == "trial" for run in runs) == 4


def test_workers_end_when_their_sweeper_is_killed(start: Callable[..., "subprocess.Popen[str]"], tmp_path: Path) -> None:
    sweeper = start("sweep.n_trials=400")
    (worker,) = wait_for(lambda: workers_of(tmp_path / "study"))
    wait_for(lambda: finished(tmp_path / "study"))
    sweeper.kill()
    worker.wait(60)
    search = Search(load(tmp_path / "study"), None)
    with search._alone():
        search.mend()  # what it had begun at that very moment is for the next to end
    assert search.trials("RUNNING") == [] and search.failures() == []


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sweep=alpha"], ["a sweep is a search over many runs: add -m, for example trivium -m sweep=alpha"]),
        (["-m", "loss.alpha=interval(0, 8)"], ["an interval is searched, not listed; choose a sweep, as in -m sweep=alpha"]),
        (
            [
                "-m",
                "sweep=alpha",
                "loss.alfa=interval(0, 8)",
                "adapter.r=choice(8, 0)",
                "sweep.sampler=grid",
                "sweep.points=[{loss.alpha: 9}]",
                "sweep.objectives=[maximise eval/source_preference, minimize loss, maximize rewards/format/mean]",
            ],
            [
                "loss.alfa: no such key; did you mean `alpha`?",
                "adapter.r: set to 0",
                "sweep.params.loss.alpha: a grid needs values, not an interval",
                "sweep.points[0]: loss.alpha=9 lies outside of",
                "did you mean `maximize`?",
                "loss is a loss: its weights and terms change",
                "rewards/format/mean is a reward of the training; a search over it finds what pays",
            ],
        ),
    ],
)
def test_bad_input_is_told_in_sentences_before_anything_is_made(
    trivium: Run, tmp_path: Path, words: list[str], told: list[str]
) -> None:
    done = trivium(*words)
    assert done.returncode == 2
    assert all(sentence in done.stderr for sentence in told), done.stderr
    assert all(line.startswith("trivium: ") for line in done.stderr.splitlines()), done.stderr
    assert not list(tmp_path.glob("*/*/*"))


def test_an_objective_that_no_evaluation_gives_lists_those_that_exist_and_the_right_one_may_follow(
    trivium: Run, tmp_path: Path, fast: list[str]
) -> None:
    study = tmp_path / "study"
    done = trivium(*command(study, fast, "sweep.objectives=[maximize eval/source_prefrence]")[3:])
    assert done.returncode == 2
    assert "eval/source_prefrence is not measured by this evaluation; did you mean `eval/source_preference`?" in done.stderr
    assert "All that is: eval/coordinated_recall, eval/discernment, eval/source_preference." in done.stderr
    assert "Traceback" not in done.stderr
    other = ["sweep.objectives=[minimize eval/discernment]", "sweep.points=[{loss.alpha: 5.0}]", "sweep.n_trials=1"]
    again = trivium(*command(study, fast, *other, "sweep.confirm=0")[3:])
    assert again.returncode == 0, again.stderr
    assert [trial.params for trial in finished(study)] == [{"loss.alpha": 5.0}]
    assert json.loads((study / "result.json").read_text(encoding="utf-8"))["objectives"] == ["minimize eval/discernment"]
    refused = trivium(*command(study, fast, "sweep.n_trials=2", "sweep.confirm=0")[3:])
    assert (refused.returncode, "was begun with sweep.objectives=" in refused.stderr) == (2, True)
