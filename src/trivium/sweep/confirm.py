"""After the search: the best point and the default, trained again with seeds that no trial had, so that luck shows."""

import contextlib
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trivium.errors import Interrupted
from trivium.overrides import loosen
from trivium.sweep import objectives, outcome
from trivium.sweep.report.best import best_overrides
from trivium.sweep.running import FullDisk, has_no_room, run_in
from trivium.sweep.spec import ALONE, Check
from trivium.sweep.study import POLL, Search
from trivium.trial import Place

FRESH = 10_000
"""How far fresh seeds lie from those of the trials."""


@dataclass(frozen=True)
class Again:
    """A training to confirm: `which` is best, default or front-<n>."""

    which: str
    seed: int
    overrides: list[str]
    folder: Path


class Confirming:
    """A confirmation as its training sees it: recorded below the study, and never pruned."""

    every: int | None = None
    items = 0
    audited = False

    def __init__(self, study: str, parent: str | None, again: Again, objective: str) -> None:
        self.objective = objective
        own = {
            "study": study,
            "trivium.kind": "confirm",
            "confirm": again.which,
            "trivium.trial": f"{study}/{again.folder.name}",
        }
        self.place = Place(parent, None, own)

    def started(self, run_id: str | None) -> None:
        """Nothing to remember."""

    def report(self, value: float, step: int) -> None:
        """Never asked."""


def wanted(search: Search, check: Check) -> list[Again]:
    """All trainings that confirm the study: those of the best, and of the default unless that is the best."""
    points = dict(_points(search))
    if points and not any(is_default(search, point, check) for point in points.values()):
        points["default"] = []
    first = check([*search.spec.fixed, ALONE]).seed + FRESH
    seeds, home = range(first, first + search.sweep.confirm), search.spec.folder / "confirm"
    return [Again(which, seed, point, home / f"{which}-{seed}") for seed in seeds for which, point in points.items()]


def is_default(search: Search, point: Sequence[str], check: Check) -> bool:
    """Whether a point is what the experiment has without the search."""
    fixed = [*search.spec.fixed, ALONE]
    return check([*fixed, *map(loosen, point)]) == check(fixed)


def _points(search: Search) -> Iterator[tuple[str, list[str]]]:
    """What is confirmed: the best point, or both ends of a front and the point between."""
    found = best_overrides(search.study)
    if len(search.sweep.sought) == 1:
        yield from (("best", point) for point in found)
        return
    for i in sorted({0, len(found) // 2, len(found) - 1}) if found else ():
        yield f"front-{i}", found[i]


def done(again: Again, search: Search) -> bool:
    """Whether a confirmation has its numbers; one that failed or was interrupted is tried again by the next command."""
    return outcome.read(again.folder, replace(search.sweep, repeats=1)).state == "complete"


def confirm(search: Search, parent: str | None, check: Check) -> None:
    """Until all is confirmed: do what no other process is at, and wait for what others do."""
    from filelock import FileLock, Timeout

    tried, all_of_them = set[Path](), wanted(search, check)
    while left := [again for again in all_of_them if again.folder not in tried and not done(again, search)]:
        for again in left:
            again.folder.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(Timeout), FileLock(again.folder.with_suffix(".lock"), timeout=0):
                tried.add(again.folder)
                if not done(again, search):
                    _train(again, search, parent, check)
        time.sleep(POLL)


def _train(again: Again, search: Search, parent: str | None, check: Check) -> None:
    config = replace(check([*search.spec.fixed, ALONE, *map(loosen, again.overrides)]), seed=again.seed)
    hook = Confirming(search.spec.study, parent, again, next(iter(search.sweep.sought)))
    try:
        run_in(config, again.folder, f"{again.which} seed={again.seed}", hook)
    except Interrupted:
        (again.folder / "result.json").unlink(missing_ok=True)  # it says failed, and is only not finished
        raise
    except Exception:  # as in a trial; its result.json tells why, and the next command tries again
        traceback.print_exc(file=sys.stderr)
        if has_no_room(search.spec.folder):
            raise FullDisk(search.spec.folder) from None


def base_metrics(search: Search, check: Check) -> dict[str, float]:
    """What the evaluation gives of the base model, by metric; everything that trials share is made on the way, once.

    Raises `ConfigError` for objectives that the evaluation does not give.
    """
    from trivium import evaluation, stages
    from trivium.console import Screen
    from trivium.errors import ConfigError

    config, screen = check([*search.spec.fixed, ALONE]), Screen()
    prepared, base = stages.prepare(config, screen), stages.base_model(config, screen)
    items = evaluation.load_items(config.evaluation, config.dataset, prepared.folder)
    scores = stages.evaluate(config, base, prepared, items, None)
    measured = evaluation.compare(scores, scores, items.parts, config.evaluation)
    if problems := list(objectives.missing(search.sweep, measured)):
        raise ConfigError([f"sweep.objectives: {problem}" for problem in problems])
    return measured
