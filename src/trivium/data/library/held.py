"""Chosen passages on disk until it is known which of them are copies; in memory, two bytes of each."""

import shutil
import uuid
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from trivium.data import dedup
from trivium.data.jsonl import Writer, atomic_writer, make_folder, to_line, writer
from trivium.sample import Sample
from trivium.schema.dataset import DedupConfig

BATCH = 256
Bools = npt.NDArray[np.bool_]


class Held:
    """A folder of scratch files inside `out`, removed at the end whatever happens."""

    def __init__(self, out: Path, config: DedupConfig) -> None:
        self._folder = out / f".passages-{uuid.uuid4().hex[:8]}"
        self._config = config
        self._stack, self._writing = ExitStack(), ExitStack()
        self._texts: list[bytes] = []
        self._keywords = array("H")

    def __enter__(self) -> "Held":
        make_folder(self._folder)
        self._stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        self._rows, self._sketches = (self._writing.enter_context(writer(self._folder / name)) for name in ("rows", "sketches"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._writing.__exit__(kind, error, trace)
        finally:
            self._stack.close()

    def add(self, passage: Sample, keywords: int) -> None:
        """Append a passage with its number of distinct keywords."""
        self._rows.write(to_line(passage))
        self._keywords.append(keywords)
        if self._config.enabled:
            self._texts.append(dedup.normalised(passage.text))
            if len(self._texts) >= BATCH:
                self._sketch()

    def _sketch(self) -> None:
        if self._texts:
            self._sketches.write(dedup.sketches(self._texts).tobytes())
            self._texts = []

    def write(self, out: Path, ranges: bool) -> tuple[int, int]:
        """Write passages.jsonl, and with `ranges` one file for each number of keywords; returns the kept and the copies."""
        self._sketch()
        self._writing.close()
        copies = self._copies()
        with ExitStack() as stack:
            whole = stack.enter_context(atomic_writer(out / "passages.jsonl"))
            files: dict[int, Writer] = {}
            for number, line in self._lines(copies):
                whole.write(line)
                if ranges:
                    if number not in files:
                        files[number] = stack.enter_context(atomic_writer(_range(out, number)))
                    files[number].write(line)
        return len(copies) - int(copies.sum()), int(copies.sum())

    def _copies(self) -> Bools:
        count = len(self._keywords)
        if not self._config.enabled:
            return np.zeros(count, np.bool_)
        with (self._folder / "sketches").open("rb", buffering=0) as file:
            return dedup.duplicates(file, count, np.ones(count, np.bool_), self._config.threshold)

    def _lines(self, copies: Bools) -> Iterator[tuple[int, bytes]]:
        with (self._folder / "rows").open("rb") as file:
            for number, copy, line in zip(self._keywords, copies.tolist(), file, strict=True):
                if not copy:
                    yield number, line


def _range(out: Path, number: int) -> Path:
    folder = out / "ranges"
    make_folder(folder)
    return folder / f"{number}.jsonl"
