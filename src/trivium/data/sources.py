"""Reading: folders and files of .txt, .jsonl and .parquet, or a generated world, as a stream of unscored samples."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from trivium.data import textfile
from trivium.data.catalogue import Catalogue, catalogue
from trivium.data.records import Records
from trivium.data.rejects import BadRow, Rejects
from trivium.errors import DataError
from trivium.sample import Sample
from trivium.schema import TEXT_FILES, DatasetConfig

MAX_LINE = 64 << 20
"""Bytes of the longest line of a .jsonl file that is read."""

PARQUET_ROWS = 256
"""Rows of a Parquet file held at once."""


def documents(config: DatasetConfig, rejects: Rejects) -> Iterator[Sample]:
    """All usable samples in a fixed order, one at a time; what is not usable is counted in `rejects`.

    Raises `DataError` when there is nothing to read, or when nothing that was read can be used.
    """
    if config.generator is not None:
        from trivium.data.micro_archive import documents as generated

        yield from generated(config.world)
        return
    root = Path(str(config.path)).expanduser()
    found = files(root, rejects)
    about = catalogue(root, found, rejects)
    records, count = Records(config, rejects), 0
    for path in found:
        if path not in about.files:
            for sample in _of_file(path, root, about, records, rejects):
                count += 1
                yield sample
    if not count:
        first = f" The first: {rejects.first()}." if rejects.count else ""
        raise DataError(f"dataset.path: nothing in {root} can be used; {rejects.count} lines or files were rejected.{first}")
    records.check_fields()


def files(root: Path, rejects: Rejects) -> list[Path]:
    """Files of the known kinds at or below `root`, sorted; hidden ones and links that lead out of the folder are not read."""
    wanted = f"{', '.join(TEXT_FILES[:-1])} or {TEXT_FILES[-1]}"
    if not root.exists():
        raise DataError(f"dataset.path: {root} does not exist; give a folder or file of {wanted}.")
    found = [root] if root.is_file() else sorted(p for p in root.rglob("*") if not _hidden(p.relative_to(root)))
    texts = [path for path in found if path.suffix.lower() in TEXT_FILES and not path.is_dir()]
    if not texts:
        kinds = sorted({path.suffix or path.name for path in found if path.is_file()})[:5]
        holds = f"holds {', '.join(kinds)}" if kinds else "is empty"
        raise DataError(f"dataset.path: {root} {holds}; give a folder or file of {wanted}.")
    home = root.resolve()
    return [path for path in texts if path == root or _inside(path, home, root, rejects)]


def _hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)


def _inside(path: Path, home: Path, root: Path, rejects: Rejects) -> bool:
    if path.resolve().is_relative_to(home) and path.exists():
        return True
    rejects.add(str(path.relative_to(root)), None, BadRow("link out of the folder", "it is not followed; copy the file there"))
    return False


def _of_file(path: Path, root: Path, about: Catalogue, records: Records, rejects: Rejects) -> Iterator[Sample]:
    name = name_of(path, root)
    try:
        if path.suffix.lower() == ".txt":
            yield from _of_text(path, name, about, records, rejects)
        else:
            for line, row in rows_of(path, name, rejects):
                yield from records.of_row(row, name, line)
    except BadRow as problem:
        rejects.add(name, None, problem)
    except OSError as error:
        rejects.add(name, None, BadRow("unreadable file", error.strerror or str(error)))


def _of_text(path: Path, name: str, about: Catalogue, records: Records, rejects: Rejects) -> Iterator[Sample]:
    encoding = textfile.encoding_of(path)
    if encoding in textfile.FALLBACKS:
        rejects.note(f"text file that is not UTF-8, read as {encoding}", name)
    yield from records.of_text(textfile.body(textfile.lines(path, encoding)), about.row(path, name, rejects), name)


def name_of(path: Path, root: Path) -> str:
    """How a file below `root` is called in ids and messages."""
    return path.name if path == root else path.relative_to(root).as_posix()


def rows_of(path: Path, name: str, rejects: Rejects) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers and rows of a .jsonl or .parquet file; raises `BadRow` where the file itself cannot be read."""
    return json_rows(path, name, rejects) if path.suffix.lower() == ".jsonl" else _parquet_rows(path)


def json_rows(path: Path, name: str, rejects: Rejects) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers and objects of a .jsonl file; malformed lines are counted."""
    with path.open("rb") as file:
        if b"\0" in file.read(1 << 13):
            raise BadRow("binary file", "it holds NUL bytes; wanted is one JSON object a line")
        file.seek(0)
        number = 0
        while line := file.readline(MAX_LINE):
            number += 1
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                while (more := file.readline(MAX_LINE)) and not more.endswith(b"\n"):
                    pass
                rejects.add(name, number, BadRow("line too long", f"over {MAX_LINE >> 20} MiB"))
                continue
            try:
                if (row := _json_object(line, number)) is not None:
                    yield number, row
            except BadRow as problem:
                rejects.add(name, number, problem)


def _json_object(line: bytes, number: int) -> dict[str, Any] | None:
    if number == 1:
        line = line.removeprefix(b"\xef\xbb\xbf")
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if not line.strip():
            return None
        raise BadRow("not valid JSON", str(error)) from None
    if not isinstance(row, dict):
        raise BadRow("not a JSON object", f"it is {type(row).__name__}; wanted is {{…}}")
    return row


def _parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow  # type: ignore[import-untyped]
    import pyarrow.parquet  # type: ignore[import-untyped]

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=PARQUET_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pyarrow.ArrowException, OSError) as error:
        after = f" after row {number}" if number else ""
        raise BadRow("unreadable Parquet file", f"{' '.join(str(error).split())[:160]}{after}") from error
