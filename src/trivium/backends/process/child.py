"""A training in a process of its own: `python -m trivium.backends.process.child <request.json> <module>`.

`<module>.train` trains; all that it tells goes to the parent that started this process. When the parent ends, so does this,
with all that it started. Of several processes that train together the first one speaks; the others only tell their errors.
"""

import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivium.backends.process import request, words
from trivium.backends.process.world import joined


def main(argv: list[str]) -> None:
    """Train as the request says; what goes wrong is told before it is raised."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    line = words.Line(os.environ[words.ADDRESS])
    threading.Thread(target=_end_with_parent, args=(line,), daemon=True).start()
    rank = int(os.environ.get("RANK", "0"))
    line.say("hello", os.getpid())
    try:
        _train(Path(argv[0]), argv[1], line, rank)
    except BaseException as error:
        line.say("error", words.of_error(error))
        raise


def _train(path: Path, module: str, line: words.Line, rank: int) -> None:
    found = request.read(path)
    speaker = Speaker(line) if rank == 0 else Silent()
    if rank == 0:
        logging.getLogger("trivium").addHandler(_Relayed(line))
        logging.getLogger("trivium").setLevel(logging.INFO)
    with joined(found):
        train = importlib.import_module(module).train
        parts = (found.config, found.base, found.prepared, found.out)
        metrics = train(*parts, record=speaker, progress=speaker.progress, watch=None)
    if os.environ.get("LOCAL_RANK", "0") == "0":
        line.say("done", metrics)


def _end_with_parent(line: words.Line) -> None:
    line.wait_for_the_end()
    os.killpg(os.getpgrp(), signal.SIGKILL)


class Speaker:
    """A recorder that hands everything to the parent."""

    def __init__(self, line: words.Line) -> None:
        self._line = line

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Numbers."""
        self._line.say("metrics", dict(values), step)

    def table(self, name: str, columns: Mapping[str, list[Any]], step: int) -> None:
        """Rows."""
        self._line.say("table", name, dict(columns), step)

    def progress(self, done: int, total: int, latest: Mapping[str, float]) -> None:
        """Steps done, steps in all, newest metrics."""
        self._line.say("progress", done, total, dict(latest))


class Silent:
    """A recorder that says nothing."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Nothing."""

    def table(self, name: str, columns: Mapping[str, list[Any]], step: int) -> None:
        """Nothing."""

    def progress(self, done: int, total: int, latest: Mapping[str, float]) -> None:
        """Nothing."""


class _Relayed(logging.Handler):
    """Log records of Trivium's own, written by the parent into the run's log."""

    def __init__(self, line: words.Line) -> None:
        super().__init__(logging.INFO)
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        """One record."""
        self._line.say("log", record.name, record.levelno, record.getMessage())


if __name__ == "__main__":
    main(sys.argv[1:])
