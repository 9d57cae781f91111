"""A worker (`python -m trivium.sweep.worker`): does trials as long as the study wants some, then confirms the best."""

import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trivium.artifact import write_json
from trivium.compose import hydra_at
from trivium.errors import ConfigError, Interrupted, TriviumError
from trivium.overrides import checked
from trivium.sweep import confirm, running, spec
from trivium.sweep.outcome import Outcome
from trivium.sweep.spec import ALONE, Check
from trivium.sweep.study import BASE, Search

if TYPE_CHECKING:
    from optuna.trial import Trial

STUDY = "TRIVIUM_STUDY"
"""Environment variable that makes a launched job a worker on the study in that folder."""
MORE = 75
"""Exit code of a worker that leaves the next trial to a fresh process."""


def work(folder: Path) -> bool:
    """Work on the study in `folder` until it wants nothing more; True when a fresh process shall go on.

    Raises `ConfigError` for an objective that the evaluation does not give, `TrainingError` when too many trials fail, and
    `Interrupted` after a signal, with the trial queued again.
    """
    known = spec.load(folder)
    config_dir = Path(known.config_dir) if known.config_dir else None
    with hydra_at():
        check = partial(checked, config_dir=config_dir)
        search = Search(known, check([*known.fixed, ALONE]).tracking, again=True)
        parent = search.study.user_attrs.get("run_id")
        _share(search, check)
        with search.worker() as me:
            while (trial := search.claim(me)) is not None:
                _one(search, trial, parent, check)
                if search.sweep.fresh_process:
                    return True
        if len(search.finished()) >= search.total:
            confirm.confirm(search, parent, check)
    return False


def _share(search: Search, check: Check) -> None:
    """Make what all trials share, once: data, base model, scorers, the base model's scores."""
    from filelock import FileLock

    path = search.spec.folder / BASE
    with FileLock(path.with_suffix(".lock")):
        if not path.is_file():
            write_json(path, confirm.base_metrics(search, check))


def _one(search: Search, trial: "Trial", parent: str | None, check: Check) -> None:
    from trivium.sweep import runs

    began = time.monotonic()
    try:
        with _time_limit(search.sweep.trial_timeout):
            found = running.attempt(search, trial, parent, check)
    except (Interrupted, KeyboardInterrupt, running.FullDisk):
        search.settle(trial, Outcome("unfinished"), time.monotonic() - began)
        raise
    search.settle(trial, found, time.monotonic() - began)
    frozen = next(t for t in search.trials() if t.number == trial.number)
    runs.close_trial(search.tracking, frozen.user_attrs.get("run_id"), frozen.state.name, frozen.values, "")


@contextmanager
def _time_limit(seconds: float | None) -> Iterator[None]:
    """End this process, from a thread that needs no lock of Python's, when a trial hangs; the others see that it is gone."""
    if seconds is None:
        yield
        return
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _end_with_parent() -> None:
    """Stop, as by SIGTERM, when whoever started this process is gone: its end of the pipe closes."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main(folder: str, note: str) -> int:
    """The process of a worker; what it cannot go on from is written to `note` for whoever started it."""
    signal.signal(signal.SIGTERM, _interrupt)
    _end_with_parent()
    try:
        return MORE if work(Path(folder)) else 0
    except (KeyboardInterrupt, Interrupted):
        return 1
    except TriviumError as error:
        problems = error.problems if isinstance(error, ConfigError) else [str(error)]
        write_json(Path(note), {"code": error.exit_code, "problems": problems})
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
