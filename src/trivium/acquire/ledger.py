"""What has been acquired: a provenance record per item, appended as it is finished, and the rows that the texts go by.

A killed run leaves whole lines and at most one torn one, which is not read. At the end both files are written anew, in the
order of the sources' lists, so that the outcome does not depend on which download was quicker.
"""

import hashlib
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import orjson

from trivium.artifact import file_hash
from trivium.data.jsonl import atomic_writer, unwritable

Record = Mapping[str, Any]


def line_of(row: Mapping[str, Any]) -> bytes:
    """A row as one line."""
    return orjson.dumps(row, default=str, option=orjson.OPT_APPEND_NEWLINE)


def sha256(data: bytes) -> str:
    """The hash (hex) of bytes."""
    return hashlib.sha256(data).hexdigest()


def whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Offsets and lines of a file that may be missing; a last line without its end is torn and left out."""
    if not path.exists():
        return
    offset = 0
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield offset, line
            offset += len(line)


def append(path: Path, line: bytes) -> int:
    """Add a line to a file, after cutting off a torn one; returns its offset. Raises `DataError` when the disk refuses."""
    try:
        with path.open("ab+") as file:
            _mend(file)
            offset = file.tell()
            file.write(line)
            return offset
    except OSError as error:
        raise unwritable(path, error) from error


def _mend(file: BinaryIO) -> None:
    """Cut off what a killed run left of its last line."""
    end = file.seek(0, 2)
    if not end:
        return
    file.seek(end - 1)
    if file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
    file.seek(0, 2)


class Provenance:
    """The records of a folder, by source and id; `provenance.jsonl`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._records: dict[tuple[str, str], Record] = {}
        self._lock = Lock()
        for _, line in whole_lines(path):
            try:
                record = orjson.loads(line)
                self._records[record["source"], record["id"]] = record
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue

    def get(self, source: str, identifier: str) -> Record | None:
        """The record of an item."""
        return self._records.get((source, identifier))

    def of(self, source: str) -> list[Record]:
        """All records of a source."""
        with self._lock:
            return [record for (name, _), record in self._records.items() if name == source]

    def add(self, record: Record) -> None:
        """One more, on disk at once; from any thread."""
        with self._lock:
            append(self.path, line_of(record))
            self._records[record["source"], record["id"]] = record

    def keep(self, source: str, order: Sequence[str]) -> None:
        """Of a source keep these items alone, in this order, after those of the sources before it."""
        with self._lock:
            kept = {(source, identifier): self._records[source, identifier] for identifier in order}
            self._records = {key: record for key, record in self._records.items() if key[0] != source} | kept

    def write(self, sources: Sequence[str]) -> None:
        """The whole file anew: these sources in their order, then whatever else was there."""
        rank = {source: i for i, source in enumerate(sources)}
        self._records = dict(sorted(self._records.items(), key=lambda item: rank.get(item[0][0], len(rank))))
        with atomic_writer(self.path) as file:
            for record in self._records.values():
                file.write(line_of(record))


@dataclass
class Shelf:
    """The folder of one source: its texts, and a `.jsonl` whose rows describe or hold them."""

    folder: Path
    name: str
    _rows: dict[str, tuple[Path, int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = Lock()
        self.path = self.folder / f"{self.name}.jsonl"
        self._part = self.folder / f".{self.name}.jsonl.part"
        for path in (self.path, self._part):
            for offset, line in whole_lines(path):
                try:
                    self._rows[orjson.loads(line)["id"]] = path, offset, len(line)
                except (orjson.JSONDecodeError, KeyError, TypeError):
                    continue

    def add(self, identifier: str, row: Mapping[str, Any]) -> str:
        """Append a row, from any thread; returns its hash."""
        line = line_of(row)
        with self._lock:
            self._rows[identifier] = self._part, append(self._part, line), len(line)
        return sha256(line)

    def holds(self, identifier: str, record: Record) -> bool:
        """Whether everything that a record speaks of is here, unchanged."""
        row, name = record.get("row_sha256"), record.get("file")
        if row and (identifier not in self._rows or sha256(self._line(identifier)) != row):
            return False
        path = self.folder / str(name)
        return not name or (path.is_file() and file_hash(path) == record.get("file_sha256"))

    def _line(self, identifier: str) -> bytes:
        path, offset, length = self._rows[identifier]
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def finish(self, order: Sequence[str]) -> None:
        """Write the rows of these items in this order, in one step."""
        chosen = [identifier for identifier in order if identifier in self._rows]
        if chosen:
            with atomic_writer(self.path) as file:
                for identifier in chosen:
                    file.write(self._line(identifier))
        else:
            self.path.unlink(missing_ok=True)
        self._part.unlink(missing_ok=True)


def put(path: Path, text: str | None, copy: Path | None) -> str:
    """Write a text, or copy a file, in one step and to the disk; returns the hash (hex) of what lies there."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            if text is not None:
                file.write(text.encode("utf-8", "replace"))
            elif copy is not None:
                with copy.open("rb") as source:
                    while block := source.read(1 << 20):
                        file.write(block)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise unwritable(path, error) from error
    return file_hash(path)
