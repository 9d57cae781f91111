"""Scored samples on disk between the two passes; in memory, some 50 bytes of each to decide by."""

import shutil
import uuid
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from trivium.data import dedup
from trivium.data.jsonl import Writer, make_folder, to_line, writer
from trivium.data.lexicon import TRIVIUM
from trivium.data.splits import hash64
from trivium.errors import DataError
from trivium.sample import Sample, band
from trivium.schema import BANDS

COLUMNS = np.dtype(
    [
        ("offset", "<u8"),
        ("length", "<u4"),
        ("document", "<u8"),
        ("file", "<u4"),
        ("source", "<u2"),
        ("authority", "<f4"),
        ("entropy", "<f4"),
        ("year", "<i2"),
        ("band", "u1"),
        ("trivium", "u1"),
        ("split", "u1"),
    ]
)
"""What is kept of a sample. `offset`, `length`: its row in bytes; `document`: a hash; `split`: an index into `SPLITS`."""

TAGS = (*TRIVIUM, "unknown")
SPLITS = ("", "train", "heldout")
NO_YEAR = -32768
BATCH_BYTES = 1 << 16
BATCH_SAMPLES = 256
MAX_NAMES = 1000
OTHER = "other"

Columns = npt.NDArray[np.void]


class Table(NamedTuple):
    """The columns (N,) of all spooled samples, and the names behind `source`."""

    columns: Columns
    sources: list[str]


class Spool:
    """A folder of scratch files inside `out`, removed at the end whatever happens."""

    def __init__(self, out: Path, sketched: bool) -> None:
        self._folder = out / f".prepare-{uuid.uuid4().hex[:8]}"
        self._sketched = sketched
        self._stack = ExitStack()
        self._writing = ExitStack()
        self._batch: list[tuple[int | float, ...]] = []
        self._texts: list[bytes] = []
        self._waiting = self._offset = self.count = 0
        self._files: dict[str, int] = {}
        self._sources: dict[str, int] = {}

    def __enter__(self) -> "Spool":
        make_folder(self._folder)
        self._stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        self._rows, self._table, self._sketches = (self._open(name) for name in ("rows", "columns", "sketches"))
        return self

    def _open(self, name: str) -> Writer:
        return self._writing.enter_context(writer(self._folder / name))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._writing.__exit__(kind, error, trace)
        finally:
            self._stack.close()

    def add(self, sample: Sample, split: str = "") -> None:
        """Append a scored sample. Raises `DataError` when a score is not a number in its range."""
        if sample.authority is None or not 0 <= sample.authority <= 0.99:
            raise DataError(f"{sample.id}: authority {sample.authority}; a scored sample has one from 0 to 0.99.")
        if sample.entropy is None or not 0 <= sample.entropy < float("inf"):
            raise DataError(f"{sample.id}: entropy {sample.entropy}; a scored sample has one of 0 bits or more.")
        length = self._rows.write(to_line(sample))
        self._batch.append(
            (
                self._offset,
                length,
                hash64(sample.document.encode()),
                self._files.setdefault(sample.origin, len(self._files)),
                self._source(sample.source_type),
                sample.authority,
                sample.entropy,
                NO_YEAR if sample.year is None else sample.year,
                BANDS.index(band(sample.authority)),
                TAGS.index(sample.trivium if sample.trivium in TRIVIUM else "unknown"),
                SPLITS.index(split),
            )
        )
        self._offset += length
        self.count += 1
        if self._sketched:
            text = dedup.normalised(words(sample))
            self._texts.append(text)
            self._waiting += len(text)
        if self._waiting >= BATCH_BYTES or len(self._batch) >= BATCH_SAMPLES:
            self._flush()

    def _source(self, name: str) -> int:
        """A number for a source type; beyond the first thousand they are counted as one."""
        if name not in self._sources and len(self._sources) >= MAX_NAMES:
            name = OTHER
        return self._sources.setdefault(name, len(self._sources))

    def _flush(self) -> None:
        self._table.write(np.array(self._batch, COLUMNS).tobytes())
        if self._texts:
            self._sketches.write(dedup.sketches(self._texts).tobytes())
        self._batch, self._texts, self._waiting = [], [], 0

    def close(self) -> Table:
        """End writing; what was added can be read from now on."""
        self._flush()
        self._writing.close()
        self._reader = self._stack.enter_context((self._folder / "rows").open("rb"))
        self.sketches = self._stack.enter_context((self._folder / "sketches").open("rb", buffering=0))
        self._columns: Columns = np.fromfile(self._folder / "columns", COLUMNS)
        return Table(self._columns, list(self._sources))

    def line(self, index: int) -> bytes:
        """The row of a sample as it was written."""
        self._reader.seek(int(self._columns["offset"][index]))
        return self._reader.read(int(self._columns["length"][index]))

    def sample(self, index: int) -> Sample:
        """A spooled sample."""
        return Sample.from_dict(orjson.loads(self.line(index)))


def words(sample: Sample) -> str:
    """All the words of a sample: its text, or the turns of its conversation."""
    return "\n".join(message["content"] for message in sample.messages) if sample.messages else sample.text
