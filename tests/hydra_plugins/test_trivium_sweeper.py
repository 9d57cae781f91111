"""The sweeper as Hydra calls it: its own launchers do the trials, and without a study it lists combinations."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from trivium.sweep.spec import load
from trivium.sweep.study import Search

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def has(launcher: str) -> bool:
    return find_spec(f"hydra_plugins.hydra_{launcher}_launcher") is not None


def words(tmp_path: Path, fast: list[str], *more: str) -> list[str]:
    return ["-m", "sweep=alpha", *fast, f"hydra.sweep.dir={tmp_path / 'study'}", *more]


def finished(study: Path) -> list[Any]:
    return Search(load(study), None).finished()


def test_hydra_finds_the_sweeper() -> None:
    from hydra.core.plugins import Plugins
    from hydra.plugins.sweeper import Sweeper

    assert "TriviumSweeper" in {plugin.__name__ for plugin in Plugins.instance().discover(Sweeper)}


def test_nothing_heavy_is_imported_with_it() -> None:
    heavy = {"optuna", "mlflow", "torch", "plotly"}
    program = f"import sys, hydra_plugins.trivium_sweeper.sweeper; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.returncode) == ("", 0), done.stderr


def test_without_a_sweep_there_is_one_run_for_each_combination(trivium: Run, tmp_path: Path, fast: list[str]) -> None:
    plain = [word for word in fast if not word.startswith("sweep.")]
    done = trivium("-m", "experiment=none", *plain, "stages=[prepare]", "seed=1,2", f"hydra.sweep.dir={tmp_path / 'two'}")
    assert done.returncode == 0, done.stderr
    assert {path.parent.name for path in (tmp_path / "two").glob("*/result.json")} == {"0", "1"}
    assert not (tmp_path / "two" / "study.json").exists()


def test_a_study_lies_in_its_own_place_unless_it_is_told_where(trivium: Run, tmp_path: Path, fast: list[str]) -> None:
    done = trivium("-m", "sweep=alpha", *fast, "name=tries", "sweep.study=mine", "sweep.timeout=0.001")
    assert done.returncode == 1
    assert "no trial of the study in multirun/tries/mine was finished, so there is no answer" in done.stderr
    assert (tmp_path / "multirun" / "tries" / "mine" / "study.json").is_file()


@pytest.mark.skipif(not has("joblib"), reason="hydra-joblib-launcher is not installed")
def test_joblib_does_the_trials(trivium: Run, tmp_path: Path, fast: list[str]) -> None:
    launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "sweep.workers=2", "sweep.fresh_process=true"]
    done = trivium(*words(tmp_path, fast, *launcher, "sweep.n_trials=3"))
    assert done.returncode == 0, done.stderr
    trials = finished(tmp_path / "study")
    assert len(trials) == 3
    assert all(trial.user_attrs["worker"].split("-")[-2] != str(os.getpid()) for trial in trials)
    assert "3 trials, in study" in done.stdout
    assert (tmp_path / "study" / "report.html").is_file()


@pytest.mark.long
@pytest.mark.skipif(not has("submitit"), reason="hydra-submitit-launcher is not installed")
def test_submitit_does_the_trials(trivium: Run, tmp_path: Path, fast: list[str]) -> None:
    done = trivium(*words(tmp_path, fast, "hydra/launcher=submitit_local", "sweep.n_trials=2"))
    assert done.returncode == 0, done.stderr
    assert len(finished(tmp_path / "study")) == 2


@pytest.mark.slow
@pytest.mark.skipif(not has("joblib"), reason="hydra-joblib-launcher is not installed")
def test_what_ends_a_launched_worker_is_told_in_a_sentence(trivium: Run, tmp_path: Path, fast: list[str]) -> None:
    never = ["dataset.gate=strict", "dataset.targets.min_samples=1000"]
    done = trivium(*words(tmp_path, fast, "hydra/launcher=joblib", "sweep.n_trials=2", *never))
    assert done.returncode in (1, 3), done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("trivium: ")
    assert "Traceback" not in done.stderr


def test_a_sweep_that_there_is_not_is_told_with_the_nearest(trivium: Run) -> None:
    done = trivium("-m", "sweep=alpa", "loss.alhpa=2")
    told = ["sweep=alpa: no such option; did you mean `alpha`?", "loss.alhpa: no such key; did you mean `alpha`?"]
    assert (done.returncode, done.stderr.splitlines()) == (2, [f"trivium: {one}" for one in told])
