"""A study on disk, shared by all processes that work on it: who may begin a trial, what becomes of it, what a dead one left."""

import contextlib
import os
import socket
import time
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.errors import ConfigError, TrainingError
from trivium.sweep import objectives, outcome, search, space
from trivium.sweep.outcome import Outcome
from trivium.sweep.spec import Spec
from trivium.sweep.storage import open_storage

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

BASE = "base.json"
"""What the evaluation gives of the base model: written once, before the first trial."""
POLL = 0.3
"""Seconds between looks for a place while other workers hold them all."""
FEW = 4
"""Trials that a failure rate needs."""


class Search:
    """One study, as a process works on it. Every method that changes who holds which trial takes the study's lock.

    `again` says that the study was open before: a database that does not answer is waited for.
    """

    def __init__(self, spec: Spec, tracking: Any, again: bool = False) -> None:
        self.spec, self.sweep, self.tracking = spec, spec.sweep, tracking
        self.space = space.read(spec.sweep.params)[0]
        self.total = search.n_trials(spec.sweep, self.space)
        self._workers = spec.folder / "workers"
        self._workers.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self.study = self._open(again)

    # --- the study ---------------------------------------------------------------------------------------------------

    def _open(self, again: bool) -> "Study":
        import optuna
        from optuna.study import StudyDirection

        study = optuna.create_study(
            study_name=self.spec.study,
            storage=open_storage(self.sweep.storage, self.spec.folder, self.tracking, again),
            directions=[StudyDirection[direction.upper()] for direction in self.sweep.sought.values()],
            pruner=search.pruner(self.sweep),
            load_if_exists=True,
        )
        if (home := study.user_attrs.get("folder")) is None:
            self._settle_in(study)
        elif home != str(self.spec.folder):
            raise ConfigError(
                f"sweep.storage={self.sweep.storage} holds a study {self.spec.study} already, whose folder is {home}; give "
                "another name with sweep.study=…"
            )
        for point in self.sweep.points:
            study.enqueue_trial(dict(point), skip_if_exists=True)
        return study

    def _settle_in(self, study: "Study") -> None:
        """A new study takes its folder, which must not hold the trials of another."""
        if any((self.spec.folder / "trials").glob("*")):
            raise ConfigError(
                f"{self.spec.folder} holds trials, and sweep.storage={self.sweep.storage} knows no study {self.spec.study}; "
                "bring its storage back, or begin a new study beside it: sweep.study=<another name>."
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that names are experimental in Optuna
            study.set_metric_names(list(self.sweep.sought))
        study.set_user_attr("folder", str(self.spec.folder))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        from filelock import FileLock

        with FileLock(self.spec.folder / ".study.lock"):
            yield

    def trials(self, *states: str) -> "list[FrozenTrial]":
        """The trials in some states (by Optuna's names), all of them without any."""
        from optuna.trial import TrialState

        wanted = tuple(TrialState[state] for state in states) or None
        return self.study.get_trials(deepcopy=False, states=wanted)

    def finished(self) -> "list[FrozenTrial]":
        """Complete and pruned trials: those that count."""
        return self.trials("COMPLETE", "PRUNED")

    def failures(self) -> "list[FrozenTrial]":
        """Failed trials since the study was last started, without those that are tried again because their process died."""
        failed = (t for t in self.trials("FAIL") if "reason" in t.user_attrs and t.datetime_start is not None)
        return [t for t in failed if t.user_attrs.get("ended", 0.0) >= self.spec.started]

    # --- beginning a trial -------------------------------------------------------------------------------------------

    def claim(self, worker: "Worker") -> "Trial | None":
        """The next trial, waited for while others hold all that are left; None when nothing is left to begin.

        Raises `TrainingError` when too many trials fail.
        """
        while True:
            with self._alone():
                self.mend(worker.name)
                finished = len(self.finished())
                if finished >= self.total or time.time() >= self.spec.until:
                    return None
                self._require_luck(finished)
                running = len(self.trials("RUNNING"))
                if finished + running < self.total and not search.exhausted(self.sweep, self.space, self.trials()):
                    return self._ask(worker)
                if not running:
                    return None
            time.sleep(POLL)

    def _ask(self, worker: "Worker") -> "Trial":
        asked = search.asked([trial for trial in self.trials() if self._proposed(trial)])
        self.study.sampler = search.sampler(self.sweep, self.space, asked)
        trial = self.study.ask(self.space)
        trial.set_user_attr("worker", worker.name)
        trial.set_user_attr("folder", str(self.folder_of(trial.number)))
        trial.set_user_attr("overrides", [space.override(key, value) for key, value in trial.params.items()])
        return trial

    def folder_of(self, number: int) -> Path:
        """A trial's run folder."""
        return self.spec.folder / "trials" / f"{number:04d}"

    def _require_luck(self, finished: int) -> None:
        failures = self.failures()
        if not failures:
            return
        if self.sweep.on_failure == "abort":
            raise TrainingError(_gave_up(failures, "sweep.on_failure=abort ends the sweep at the first"))
        among = len(failures) + finished
        if among >= FEW and len(failures) / among > self.sweep.max_failure_rate:
            rate = f"{len(failures)} of {among} trials failed, more than sweep.max_failure_rate={self.sweep.max_failure_rate:g}"
            raise TrainingError(_gave_up(failures, rate))
        newest = max((trial.number for trial in self.finished()), default=-1)
        in_a_row = sum(trial.number > newest for trial in failures)
        if in_a_row >= max(FEW, self.total):
            raise TrainingError(_gave_up(failures, f"{in_a_row} trials in a row failed, as many as the sweep is to have"))

    # --- ending a trial ----------------------------------------------------------------------------------------------

    def settle(self, trial: "Trial | FrozenTrial", found: Outcome, seconds: float) -> None:
        """Tell the study what came of a trial, with all that the report needs of it."""
        with self._alone():
            self._settle(self._writable(trial), found, seconds)

    def _settle(self, trial: "Trial", found: Outcome, seconds: float, died: bool = False) -> None:
        from optuna.trial import TrialState

        trial.set_user_attr("seconds", round(seconds, 3))
        trial.set_user_attr("ended", time.time())
        if found.state == "complete":
            found = self._comparable(trial, found)
        if found.state == "complete":
            trial.set_user_attr("metrics", found.metrics)
            trial.set_user_attr("repeats", found.repeats)
            for text, one in zip(self.sweep.constraints, objectives.constraints(self.sweep), strict=True):
                trial.set_constraint(text, one.violation(found.metrics[one.metric]))
            self._tell(trial, TrialState.COMPLETE, found.values(self.sweep))
        elif found.state == "pruned":
            self._tell(trial, TrialState.PRUNED)
        elif found.state == "failed":
            trial.set_user_attr("reason", found.reason)
            if self.sweep.on_failure == "retry":
                self._again(trial, "retried")
            self._tell(trial, TrialState.FAIL)
        else:
            self._again(trial, "deaths" if died else "")
            self._tell(trial, TrialState.FAIL)

    def _tell(self, trial: "Trial", state: Any, values: Sequence[float] | None = None) -> None:
        """`Study.tell` under a sampler that thinks nothing of it: a grid's would stop Optuna's own loop, which is not run."""
        from optuna.samplers import RandomSampler

        self.study.sampler = RandomSampler()
        self.study.tell(trial, values, state=state, skip_if_finished=True)

    def _again(self, trial: "Trial", count: str) -> None:
        """Queue the same point, once, before its trial ends; `count` is what it is tried again for, so often at most."""
        tries = {key: value for key, value in trial.user_attrs.items() if key in ("retried", "deaths")}
        if count:
            tries[count] = tries.get(count, 0) + 1
        frozen = self._frozen(trial)
        queued = any(one.system_attrs.get(search.AGAIN) == trial.number for one in self.trials())
        has_point = self._proposed(frozen) or "fixed_params" in frozen.system_attrs
        if has_point and not queued and tries.get(count, 0) <= self.sweep.retries:
            self.study.add_trial(search.again(frozen, tries))

    def _proposed(self, trial: "FrozenTrial") -> bool:
        """Whether a trial has all of its point; a process may die before it has."""
        return trial.params.keys() >= self.space.keys()

    def _frozen(self, trial: "Trial") -> "FrozenTrial":
        return next(one for one in self.trials() if one.number == trial.number)

    def _comparable(self, trial: "Trial", found: Outcome) -> Outcome:
        """A trial that was measured on other items than the first one is none of this study."""
        place = outcome.folders(self.folder_of(trial.number), self.sweep)[0]
        items = {metric: objectives.items_of(place, metric) for metric in self.sweep.sought}
        first = self.study.user_attrs.get("items")
        if first is None:
            self.study.set_user_attr("items", items)
        elif first != items:
            metric = next(name for name in items if items[name] != first.get(name))
            return Outcome(
                "failed",
                reason=f"{metric} was measured on other held-out items than in the other trials, because what is searched "
                "changes them; choose an objective whose items stay, for example that of a suite",
            )
        return found

    def mend(self, alive: str = "") -> None:
        """End what dead processes began: a result that was written counts, the rest is queued again. Needs the lock."""
        for frozen in self.trials("RUNNING"):
            worker = frozen.user_attrs.get("worker")
            if worker != alive and (worker is None or not self.lives(worker)):
                self._mend_one(self._writable(frozen))

    def _mend_one(self, trial: "Trial") -> None:
        found = outcome.read(self.folder_of(trial.number), self.sweep)
        if found.state == "failed":  # by the same death, perhaps: it is tried again rather than held against its point
            found = Outcome("unfinished")
        began = trial.datetime_start
        seconds = time.time() - began.timestamp() if began else 0.0
        limit = self.sweep.trial_timeout
        if found.state == "unfinished" and limit is not None and seconds >= limit:
            found = Outcome("failed", reason=f"it gave no result within sweep.trial_timeout={limit:g} seconds")
        elif found.state == "unfinished" and trial.user_attrs.get("deaths", 0) >= self.sweep.retries:
            found = Outcome("failed", reason="its process died as often as it was tried (out of memory?); see workers/*.log")
        self._settle(trial, found, seconds, died=True)

    def _writable(self, trial: "Trial | FrozenTrial") -> "Trial":
        import optuna

        return trial if isinstance(trial, optuna.trial.Trial) else optuna.trial.Trial(self.study, trial._trial_id)

    # --- who is alive ------------------------------------------------------------------------------------------------

    def lives(self, worker: str) -> bool:
        """Whether the process of a worker still holds its lock."""
        return _held(self._workers / f"{worker}.lock")

    @contextmanager
    def worker(self) -> "Iterator[Worker]":
        """This process as a worker: alive for the others as long as it lasts, however it ends."""
        from filelock import FileLock

        name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        with FileLock(self._workers / f"{name}.lock"):
            yield Worker(name)


class Worker:
    """A process that works on trials."""

    def __init__(self, name: str) -> None:
        self.name = name


def untouched(folder: Path) -> bool:
    """Whether the study in a folder never tried anything, and nobody is at it."""
    return not any((folder / "trials").glob("*")) and not any(map(_held, (folder / "workers").glob("*.lock")))


def forget(spec: Spec, tracking: Any) -> None:
    """Remove an untouched study: its points that wait, and what was measured of its base model."""
    import optuna

    with contextlib.suppress(KeyError):
        optuna.delete_study(study_name=spec.study, storage=open_storage(spec.sweep.storage, spec.folder, tracking))
    (spec.folder / BASE).unlink(missing_ok=True)


def _held(path: Path) -> bool:
    """Whether a process holds a lock."""
    from filelock import FileLock, Timeout

    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _gave_up(failures: "list[FrozenTrial]", why: str) -> str:
    last = failures[-1]
    return (
        f"{why}; the last, trial {last.number}: {last.user_attrs['reason'].rstrip('.')}. Mend that and run the same command "
        "again: finished trials are kept."
    )
