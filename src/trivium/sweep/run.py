"""A search from the command line to its answer: the study, the workers, the confirmation, the report."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.artifact import write_json
from trivium.console import Screen
from trivium.errors import ConfigError, Interrupted, TrackingError, TrainingError, TriviumError
from trivium.overrides import checked
from trivium.schema import Config
from trivium.sweep import confirm, line, outcome, runs, spec
from trivium.sweep.crew import POLL, Crew
from trivium.sweep.follow import Follow
from trivium.sweep.running import label, tags
from trivium.sweep.spec import ALONE, Check, Spec
from trivium.sweep.study import BASE, Search, forget, untouched

if TYPE_CHECKING:
    from trivium.sweep.report import Report, StudyFacts

Launch = Callable[[int, Path], None]
"""Starts so many workers on the study in a folder by a launcher of Hydra's, and returns when all have left."""


def sweep(overrides: list[str], config_dir: Path | None, folder: Callable[[Config], Path], launch: Launch | None) -> "Report":
    """Search, confirm and report; `launch` None starts worker processes on this machine.

    The same command goes on with a study that was not finished. Raises `ConfigError`, `TrainingError` and `Interrupted`.
    """
    check = partial(checked, config_dir=config_dir)
    asked = spec.plan(overrides, folder, config_dir, check)
    config, screen = check([*asked.fixed, ALONE]), Screen()
    with ExitStack() as stack:
        with _alone(asked.folder):
            _begin(asked, config.tracking, screen)
            found = Search(asked, config.tracking)
            _require_room(found)
            asked.write()
            stack.enter_context(found.worker())
            parent = _parent(found, config)
        screen.say(_heading(found))
        stack.enter_context(_closed(found, parent, screen))
        _search(found, launch, screen)
        _reconcile(found, parent, screen)
        with _alone(asked.folder):
            return _answer(found, config, check, parent, screen)


def _begin(asked: Spec, tracking: Any, screen: Screen) -> None:
    """Write `study.json`, or go on with the study that is there; one that never tried anything gives way to another."""
    if (asked.folder / spec.SPEC).is_file():
        old = spec.load(asked.folder)
        try:
            spec.require_same(asked, old)
        except ConfigError:
            if not untouched(asked.folder):
                raise
            forget(old, tracking)
        else:
            screen.say(f"going on with the study in {_shown(asked.folder)}")
            return
    asked.write()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """What two commands on one study do one after the other."""
    from filelock import FileLock

    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".command.lock"):
        yield


@contextmanager
def _closed(found: Search, parent: str | None, screen: Screen) -> Iterator[None]:
    """Leave no run open in MLflow, whatever ends the search."""
    try:
        yield
    except BaseException:
        _reconcile(found, parent, screen)
        runs.finish_parent(found.tracking, parent, "failed", {})
        raise


def _search(found: Search, launch: Launch | None, screen: Screen) -> None:
    try:
        with screen.bar(f"sweep {found.sweep.name}") as update:
            follow = Follow(found, screen, lambda done, total: update(done, total, {}))
            _work(found, follow, launch)
            follow()
    except KeyboardInterrupt:
        raise Interrupted("interrupted; what was finished is kept: the same command goes on from there.") from None


def _require_room(found: Search) -> None:
    done = len(found.finished())
    if done > found.total:
        raise ConfigError(
            f"sweep.n_trials={found.total} is below the {done} finished trials of the study {found.spec.study}; give at least "
            f"{done}, or begin a new study beside it: sweep.study=<another name>."
        )


def _heading(found: Search) -> str:
    sought = ", ".join(found.sweep.objectives)
    over = ", ".join(f"{key}={text}" for key, text in found.sweep.params.items())
    done = len(found.finished())
    already = f", {done} done" if done else ""
    return f"sweep {found.sweep.name}: {sought} over {over}; {found.total} trials{already}, in {_shown(found.spec.folder)}"


def _shown(folder: Path) -> str:
    return os.path.relpath(folder) if folder.is_relative_to(Path.cwd()) else str(folder)


def _parent(found: Search, config: Config) -> str | None:
    """The study's own run in MLflow, remembered by the study for its workers."""
    known = found.study.user_attrs.get("run_id")
    if known is None and found.sweep.storage == "mlflow":
        from trivium.sweep.mlflow_storage import run_id as of_study

        known = of_study(found.study._study_id)
    facts = {**asdict(found.sweep), "n_trials": found.total}
    run_id = runs.open_parent(config.tracking, found.spec.study, facts, known)
    if run_id is not None:
        found.study.set_user_attr("run_id", run_id)
    return run_id


def _work(found: Search, follow: Follow, launch: Launch | None) -> None:
    folder, sweep = found.spec.folder, found.sweep
    if launch is None:
        Crew(folder, sweep, lambda: len(found.finished())).run(follow)
        return
    with _following(follow):
        _launch(found, launch)


def _launch(found: Search, launch: Launch) -> None:
    """Launch again after workers that died, and after those of one trial each, as long as new trials are begun."""
    begun = -1
    while begun < (begun := _begun(found)):
        try:
            launch(found.sweep.workers, found.spec.folder)
        except TriviumError:
            raise
        except Exception as error:  # each launcher has its own for a worker that died
            if _begun(found) == begun:
                raise TrainingError(
                    f"the launcher ended with {type(error).__name__}: {error}; the same command goes on, and without "
                    "hydra/launcher the workers run on this machine."
                ) from error
        else:
            if not found.sweep.fresh_process:
                return


def _begun(found: Search) -> int:
    """Trials that were begun; a launch after which there are no more had nothing left to do but to confirm."""
    return sum(trial.state.name != "WAITING" for trial in found.trials())


@contextmanager
def _following(follow: Follow) -> Iterator[None]:
    """Show what is finished while a launcher holds this thread."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(POLL):
            follow()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _reconcile(found: Search, parent: str | None, screen: Screen) -> None:
    """Leave no run of a trial behind in MLflow that says it is running, whatever died."""
    if parent is None:
        return
    begun = [t for t in found.trials() if t.state.name != "WAITING"]
    records = [
        runs.TrialRecord(
            t.number,
            t.state.name,
            t.values,
            t.user_attrs.get("run_id"),
            outcome.folders(found.folder_of(t.number), found.sweep)[0],
            label(t.number, t.user_attrs.get("overrides", [])),
            tags(found.spec.study, t.number),
        )
        for t in begun
    ]
    running = {t.user_attrs["run_id"] for t in found.trials("RUNNING") if "run_id" in t.user_attrs}
    try:
        runs.reconcile(found.tracking, parent, records, running)
    except TrackingError as error:
        screen.warn(f"the runs of the trials are not complete: {error} The same command mends them.")


def _answer(found: Search, config: Config, check: Check, parent: str | None, screen: Screen) -> "Report":
    from trivium.sweep import report

    if not found.finished():
        raise TrainingError(f"no trial of the study in {_shown(found.spec.folder)} was finished, so there is no answer.")
    if len(found.finished()) < found.total and time.time() < found.spec.until:
        screen.warn(f"{len(found.finished())} of {found.total} trials are finished, and the sampler has no more to propose.")
    facts = _facts(found, check)
    made = report.write_report(found.study, found.sweep, facts, found.spec.folder)
    answer = report.outcome(found.study, found.sweep, facts, made)
    write_json(found.spec.folder / "result.json", answer)
    files = [made.page, made.page.parent / "plots", *made.experiments]
    told = "\n\n".join([*made.sentences, *(f"    {line}" for line in made.commands)])
    runs.finish_parent(found.tracking, parent, "ok", _best_values(answer), files, {}, told)
    report.tell(made, screen)
    return made


def _best_values(answer: Mapping[str, Any]) -> dict[str, float]:
    """What the study found, as metrics of its run: the best value of each objective, and what fresh seeds gave."""
    best = {f"best/{m}": one["value"] for point in answer["best"][:1] for m, one in point["values"].items()}
    return best | {f"confirmed/{one['metric']}": one["best"]["value"] for one in answer["confirmed"]}


def _facts(found: Search, check: Check) -> "StudyFacts":
    from trivium.sweep.report import Confirmed, StudyFacts
    from trivium.sweep.report.best import best_overrides

    base: dict[str, float] = json.loads((found.spec.folder / BASE).read_text(encoding="utf-8"))
    confirmed = [
        Confirmed(again.which, again.seed, result["metrics"], again.folder)
        for again in confirm.wanted(found, check)
        if (result := outcome.result_of(again.folder)).get("status") == "ok"
    ]
    points = best_overrides(found.study)
    return StudyFacts(
        found.spec.study,
        line.experiment_of(found.spec),
        found.total,
        found.spec.fixed,
        found.sweep.params,
        found.space,
        base,
        confirmed=confirmed,
        words={tuple(point): line.words(found.spec, point) for point in points},
        best_is_default=any(confirm.is_default(found, point, check) for point in points[:1]),
    )
