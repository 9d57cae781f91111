"""JSON lines: reading samples back, writing files that appear whole or not at all."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from trivium.errors import DataError
from trivium.sample import Sample


def read_samples(path: Path) -> Iterator[Sample]:
    """The samples of a prepared file, one at a time; raises `DataError` where a line is not one."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield Sample.from_dict(orjson.loads(line))
            except (orjson.JSONDecodeError, TypeError) as error:
                raise DataError(
                    f"{path}:{number}: not a prepared sample ({error}); remove the folder to prepare it anew."
                ) from error


def to_line(sample: Sample) -> bytes:
    """A sample as one line; values that JSON lacks (dates, decimals, bytes of a Parquet file) become text."""
    return orjson.dumps(sample, default=str, option=orjson.OPT_APPEND_NEWLINE)


def unwritable(path: Path, error: OSError) -> DataError:
    """What to tell of a disk that refuses: read-only, full, gone."""
    why = (error.strerror or str(error)).lower()
    return DataError(
        f"{path} cannot be written: {why}; free space, or set cache_dir=… to a folder on another disk that may be written. "
        "Nothing was left half-written."
    )


def make_folder(path: Path) -> None:
    """Make a folder, unless it is there; raises `DataError` when the disk refuses."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


class Writer:
    """Writes bytes to an open file; raises `DataError` when the disk refuses."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path

    def write(self, data: bytes) -> int:
        """Append the bytes; returns how many."""
        try:
            return self._file.write(data)
        except OSError as error:
            raise unwritable(self._path, error) from error


@contextmanager
def writer(path: Path) -> Iterator[Writer]:
    """A new file at `path`, closed at the end and removed when anything fails."""
    try:
        file = path.open("wb")
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        yield Writer(file, path)
        try:
            file.close()
        except OSError as error:
            raise unwritable(path, error) from error
    except BaseException:
        with suppress(OSError):
            file.close()
        path.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_writer(path: Path) -> Iterator[Writer]:
    """A file that takes its name only when everything was written; raises `DataError` when the disk refuses."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    with writer(temporary) as file:
        yield file
    try:
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def write_json(path: Path, value: Any) -> None:
    """Write one indented JSON value; raises `DataError` when the disk refuses."""
    with atomic_writer(path) as file:
        file.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
