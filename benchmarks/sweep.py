"""What a search costs beside its trainings: `python -m benchmarks.sweep`.

(a) the seconds of a trial that are neither training nor evaluation; (b) a search against the same by Hydra's own Optuna
sweeper, which builds everything anew for every trial and prunes none; (c) two workers against one. Wall time, so run it on a
machine that does nothing else.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import hydra
import optuna
from omegaconf import DictConfig
from optuna.trial import FrozenTrial

METRIC = "eval/source_preference"
SPACE = {"loss.alpha": "choice(0.1, 0.5, 2.0, 5.0)", "method.learning_rate": "choice(1e-3, 1e-2)"}
"""A grid, so that both searches try the same points, and chance in proposing them does not decide."""
TRIALS, SEED = 8, 0
SHORT = (
    "model.build.max_steps=250",
    "method.max_steps=80",
    "arms=null",
    "evaluation.suites=[small_world]",
    "evaluation.perplexity=false",
)
"""What both searches do in a trial."""
PRUNING = ("sweep.pruner=median", "sweep.pruner_args={n_startup_trials: 3, n_warmup_steps: 20}", "sweep.report_steps=20")
SHARED = 16
"""Trials shared by two workers."""
HERE = "TRIVIUM_BENCH"
"""Environment variable that tells the other sweeper's trials where to work."""


# --- ours ------------------------------------------------------------------------------------------------------------


def search(home: Path, *words: str) -> tuple[float, list[FrozenTrial]]:
    """Wall seconds of a search from the command line, confirmation left out, and its finished trials."""
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "trivium", "-m", "sweep=alpha", "sweep.points=[]", "sweep.constraints=[]"]
    command += ["sweep.confirm=0", "sweep.workers=1", "hydra.sweep.dir=study", f"sweep.seed={SEED}", *words]
    started = time.perf_counter()
    run(command, home)
    seconds = time.perf_counter() - started
    return seconds, trials_of(f"sqlite:///{home / 'study' / 'study.db'}")


def run(command: list[str], home: Path, **environment: str) -> None:
    """A quiet command on one thread; what it said is shown when it fails."""
    made = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run(command, cwd=home, env=made, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(done.stdout)


def trials_of(storage: str) -> list[FrozenTrial]:
    """The finished trials of the only study in a database."""
    name = optuna.get_all_study_names(storage)[0]
    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return optuna.load_study(study_name=name, storage=storage).get_trials(states=states)


def beside_the_work(trial: FrozenTrial) -> float:
    """Seconds of a trial that are neither training nor evaluation."""
    result = json.loads((Path(trial.user_attrs["folder"]) / "result.json").read_text(encoding="utf-8"))
    work = sum(result["stages"][name]["seconds"] for name in ("train", "evaluate") if name in result["stages"])
    return float(trial.user_attrs["seconds"] - work)


def gaps(trials: list[FrozenTrial]) -> list[float]:
    """Seconds between the end of a trial and the beginning of the next, of one worker's."""
    times = sorted((t.datetime_start.timestamp(), t.datetime_complete.timestamp()) for t in trials)  # type: ignore[union-attr]
    return [later[0] - earlier[1] for earlier, later in pairwise(times)]


# --- the other sweeper -----------------------------------------------------------------------------------------------


def other(home: Path) -> tuple[float, list[FrozenTrial]]:
    """The same search by Hydra's Optuna sweeper: a process and a cache for every trial."""
    home.mkdir(parents=True)
    words = [f"+{key}={text}" for key, text in SPACE.items()]
    own = {
        "hydra/sweeper": "optuna",
        "hydra/sweeper/sampler": "grid",
        "hydra.sweeper.direction": "maximize",
        "hydra.sweeper.n_jobs": 1,
        "hydra.sweeper.n_trials": TRIALS,
        "hydra.sweeper.storage": "sqlite:///study.db",
        "hydra.sweep.dir": "trials",
    }
    words += [f"{key}={value}" for key, value in own.items()]
    command = [sys.executable, str(Path(__file__).resolve()), "-m", *words]
    started = time.perf_counter()
    run(command, home, **{HERE: str(home)})
    return time.perf_counter() - started, trials_of(f"sqlite:///{home / 'study.db'}")


@hydra.main(config_path=None)
def one_trial(config: DictConfig) -> float:
    """A trial as a plain Hydra application does it."""
    with tempfile.TemporaryDirectory(dir=os.environ[HERE]) as folder:
        point = [f"{key}={value!r}" for key, value in flat(config).items()]
        own = ["tracking.uri=sqlite:///../mlflow.db", "hydra.run.dir=run"]
        run([sys.executable, "-m", "trivium", *SHORT, *point, *own], Path(folder))
        result = json.loads((Path(folder) / "run" / "result.json").read_text(encoding="utf-8"))
    return float(result["metrics"][METRIC])


def flat(config: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """The values of a nested configuration by dotted key."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping | DictConfig) else {f"{prefix}{key}": value}
    return found


# --- the three figures -----------------------------------------------------------------------------------------------


def against_the_other(home: Path) -> None:
    ours, mine = search(
        home / "ours",
        *SHORT,
        *(f"{key}={text}" for key, text in SPACE.items()),
        "sweep.sampler=grid",
        f"sweep.n_trials={TRIALS}",
        *PRUNING,
    )
    theirs, others = other(home / "theirs")
    print(f"search of {TRIALS} trials / Hydra's Optuna sweeper: {ours / theirs:.2f} (at most 0.50; {ours:.0f}, {theirs:.0f} s)")
    print(f"best: {_best(mine, others)}; pruned: {sum(t.state.name == 'PRUNED' for t in mine)} of {TRIALS}")
    overhead, between = [beside_the_work(t) for t in mine], gaps(mine)
    print(
        f"a trial beside training and evaluation: {statistics.median(overhead):.2f} s (at most 1; {min(overhead):.2f} to "
        f"{max(overhead):.2f}); from one trial to the next {statistics.median(between):.2f} s"
    )


def _best(mine: list[FrozenTrial], others: list[FrozenTrial]) -> str:
    found = max((t for t in mine if t.state.name == "COMPLETE"), key=lambda t: t.values[0])
    best = max(t.values[0] for t in others)
    low, high = (found.user_attrs["metrics"][f"{METRIC}_ci_{end}"] for end in ("low", "high"))
    where = "within" if low <= best <= high else "outside of"
    return f"{found.values[0]:.2f} [{low:.2f}, {high:.2f}], theirs {best:.2f}, {where} the interval"


def two_workers(home: Path) -> None:
    """With the trials of the shipped sweep, as long as they are."""
    words = ["sweep.sampler=random", f"cache_dir={home / 'cache'}", "loss.alpha=interval(0, 8)"]
    search(home / "first", *words, "sweep.n_trials=1")  # the base model and the data, which both find
    one, two = (search(home / f"{n}", *words, f"sweep.n_trials={SHARED}", f"sweep.workers={n}")[0] for n in (1, 2))
    print(f"two workers / one, {SHARED} trials: {two / one:.2f} (at most 0.60; {one:.0f} s, {two:.0f} s)")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        against_the_other(Path(name) / "against")
        two_workers(Path(name) / "workers")


if __name__ == "__main__":
    one_trial() if HERE in os.environ else main()
