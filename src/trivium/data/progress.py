"""How the steps of acquisition and preparation tell how far they are."""

from collections.abc import Callable, Iterable
from pathlib import Path

from trivium.data.jsonl import atomic_writer

Progress = Callable[[str, int], None]
"""Called with a step's name (of acquisition: the source's) and how many samples it has seen."""

TICK = 512
"""Samples from one call to the next."""

WRITE = "writing"


def quiet(_step: str, _done: int) -> None:
    """No progress is shown."""


def write_lines(path: Path, lines: Iterable[bytes], tell: Progress) -> None:
    """Write lines to a file that appears whole or not at all; raises `DataError` when the disk refuses."""
    with atomic_writer(path) as file:
        for done, line in enumerate(lines):
            file.write(line)
            if done % TICK == 0:
                tell(WRITE, done)
