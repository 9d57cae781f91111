"""One trial at work: its trainings, one after the other, with what they tell the study on the way."""

import contextlib
import gc
import logging
import shutil
import sys
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.arms import plan
from trivium.errors import Interrupted, Pruned, TrainingError, TriviumError
from trivium.overrides import loosen
from trivium.schema import Config, NoneConfig
from trivium.sweep import outcome
from trivium.sweep.outcome import Outcome
from trivium.sweep.spec import ALONE, Check
from trivium.sweep.study import Search
from trivium.sweep.views import objective_names
from trivium.trial import Place

if TYPE_CHECKING:
    from optuna.trial import Trial

logger = logging.getLogger(__name__)


class StudyTrial:
    """A trial as one of its trainings sees it (`trivium.trial.Trial`), after repeats that gave `earlier` values."""

    audited = False

    def __init__(self, search: Search, trial: "Trial", parent: str | None, earlier: Sequence[float], steps: int) -> None:
        sweep = search.sweep
        self._trial, self._earlier, self._steps = trial, earlier, steps
        self.objective = next(iter(sweep.sought))
        self.every = sweep.report_steps if sweep.watched else None
        self.items = sweep.report_items
        self.place = Place(parent, None, tags(search.spec.study, trial.number), tuple(objective_names(len(sweep.sought))))

    def started(self, run_id: str | None) -> None:
        """Remember the MLflow run, which the first training has."""
        if run_id is not None:
            self._trial.set_user_attr("run_id", run_id)

    def report(self, value: float, step: int) -> None:
        """The mean with the repeats before; raises `Pruned` when the pruner has seen enough."""
        values = [*self._earlier, value]
        words = f"{self.objective} is about {value:.3g} at step {step}"
        tell(self._trial, sum(values) / len(values), self._steps + step, words)


ROOM = 2**16
"""Bytes without which nothing can be written down any more."""


class FullDisk(TrainingError):
    """Nothing can be written, so nothing can be tried."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"no space is left for {folder} (or where it is recorded, or in cache_dir); free some and run the same command "
            "again: finished trials are kept."
        )


def has_no_room(folder: Path) -> bool:
    """Whether the disk of a folder is full."""
    return shutil.disk_usage(folder).free < ROOM


def tell(trial: "Trial", value: float, step: int, words: str) -> None:
    """Report an intermediate value; raises `Pruned`. A storage that does not answer now costs the report, not the trial."""
    from optuna.exceptions import StorageInternalError, TrialPruned

    try:
        trial.report(value, step)
        hopeless = trial.should_prune()
    except (StorageInternalError, TriviumError, OSError) as error:
        logger.warning("an estimate was not recorded: %s", error)
        return
    if hopeless:
        raise Pruned(f"pruned: {words}") from TrialPruned()


def tags(study: str, number: int) -> dict[str, str]:
    """What a trial's MLflow run is found by."""
    return {"study": study, "trial": str(number), "trivium.kind": "trial", "trivium.trial": f"{study}/{number}"}


def attempt(search: Search, trial: "Trial", parent: str | None, check: Check) -> Outcome:
    """Train and evaluate a trial, all repeats of it.

    Whatever goes wrong with it is its outcome, so that the sweep goes on; only a signal that ends the process passes through,
    and a disk that is full, which no point can help: that raises `FullDisk`.
    """
    try:
        _trainings(search, trial, parent, check)
    except Pruned:
        return Outcome("pruned")
    except (Interrupted, KeyboardInterrupt):
        raise
    except TriviumError as error:
        found = outcome.read(search.folder_of(trial.number), search.sweep)
        return found if found.state == "complete" else Outcome("failed", reason=str(error))
    except Exception as error:  # the boundary of the trial: a search must outlive what it tries
        if "No space left" in str(error) or has_no_room(search.spec.folder):
            raise FullDisk(search.spec.folder) from error
        traceback.print_exc(file=sys.stderr)
        return Outcome("failed", reason=" ".join([f"{type(error).__name__}:", *str(error).split("\n")[:1]]))
    finally:
        gc.collect()
    return outcome.read(search.folder_of(trial.number), search.sweep)


def _trainings(search: Search, trial: "Trial", parent: str | None, check: Check) -> None:
    sweep, values, steps = search.sweep, list[float](), 0
    objective, swept = next(iter(sweep.sought)), trial.user_attrs["overrides"]
    for repeat, folder in enumerate(outcome.folders(search.folder_of(trial.number), sweep)):
        config = check([*search.spec.fixed, ALONE, *map(loosen, swept)])
        if repeat:  # the trial's one run in MLflow is its first training's
            config = replace(config, seed=config.seed + repeat, tracking=NoneConfig())
        hook = StudyTrial(search, trial, parent, values, steps)
        result = run_in(config, folder, label(trial.number, swept), hook)
        values.append(result.metrics.get(objective, float("nan")))
        steps += int(result.metrics.get("train/steps", 0))
        if sweep.pruner == "wilcoxon" and repeat < sweep.repeats - 1:
            tell(trial, values[-1], repeat, f"{objective} is {values[-1]:.3g} in repeat {repeat + 1} of {sweep.repeats}")


def run_in(config: Config, folder: Path, name: str, trial: Any) -> Any:
    """An ordinary run of one arm, below a study."""
    from trivium.pipeline import run

    return run(config, plan(config, [], lambda _: config), folder, name, trial)


def label(number: int, overrides: Sequence[str]) -> str:
    """A trial's name: its number, and what differs.

    >>> label(3, ["loss.alpha=0.25", "adapter.r=8"])
    't003 alpha=0.25 r=8'
    >>> label(4, ["reward.terms.format.weight=1.0", "reward.terms.depth.weight=0.5"])
    't004 format.weight=1 depth.weight=0.5'
    """
    last = Counter(_end(one, 1) for one in overrides)
    words = (f"{_end(one, 1 if last[_end(one, 1)] == 1 else 2)}={_value(one)}" for one in overrides)
    return " ".join([f"t{number:03d}", *words])[:250]


def _end(override: str, parts: int) -> str:
    return ".".join(override.partition("=")[0].split(".")[-parts:])


def _value(override: str) -> str:
    value = override.partition("=")[2]
    with contextlib.suppress(ValueError):
        value = f"{float(value):.4g}"
    return value
