"""Reading: folders and files of .txt, .jsonl and .parquet, or a generated world, as a stream of unscored samples."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from trivium.data.records import BadRow, samples
from trivium.data.rejects import Rejects
from trivium.errors import DataError
from trivium.sample import Sample
from trivium.schema import DatasetConfig

SUFFIXES = (".txt", ".jsonl", ".parquet")
MAX_LINE = 64 << 20
"""Bytes of the longest line or text file that is read."""

Row = tuple[int, Mapping[str, Any]]


def documents(config: DatasetConfig, rejects: Rejects) -> Iterator[Sample]:
    """All usable samples; the others are counted in `rejects`. Raises `DataError` when there is nothing to read."""
    if config.generator is not None:
        from trivium.data.micro_archive import documents as generated

        yield from generated(config.world)
        return
    root = Path(str(config.path))
    files = _files(root)
    sidecars = _sidecars(root, files)
    for path in files:
        yield from _of_file(path, root, sidecars, config, rejects)


def _files(root: Path) -> list[Path]:
    """Readable kinds of files at or below `root`, sorted; links that lead out of it are not followed."""
    if root.is_file():
        files = [root] if root.suffix in SUFFIXES else []
    else:
        home = root.resolve()
        found = (p for p in root.rglob("*") if p.suffix in SUFFIXES and p.is_file() and not p.name.startswith("."))
        files = sorted(p for p in found if p.resolve().is_relative_to(home))
    if not files:
        raise DataError(f"dataset.path: {root} holds no {', '.join(SUFFIXES)} file; point it at a folder that does.")
    return files


def _sidecars(root: Path, files: list[Path]) -> dict[Path, Mapping[str, Any]]:
    """Metadata of text files: `<name>.json` or `<name>.meta.json` beside one, or rows of a .jsonl whose `file` names one."""
    texts = {p for p in files if p.suffix == ".txt"}
    found: dict[Path, Mapping[str, Any]] = {}
    for path in files if texts else ():
        if path.suffix == ".jsonl":
            for _, row in _jsonl_rows(path, "", Rejects()):
                target = _described(row, path, root, texts)
                if target is not None:
                    found[target] = row
    for path in texts:
        for sidecar in (path.with_suffix(".meta.json"), path.with_suffix(".json")):
            if sidecar.is_file():
                found[path] = _json_object(sidecar)
    return found


def _described(row: Mapping[str, Any], path: Path, root: Path, texts: set[Path]) -> Path | None:
    """The text file that a metadata row describes, if it is one of ours."""
    name = row.get("file")
    if not isinstance(name, str) or "text" in row:
        return None
    base = root if root.is_dir() else root.parent
    return next((p for p in (path.parent / name, base / name) if p in texts), None)


def _json_object(path: Path) -> Mapping[str, Any]:
    try:
        value = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise DataError(f"{path}: metadata cannot be read ({error}); mend or remove it.") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: metadata must be one JSON object.")
    return value


def _of_file(
    path: Path, root: Path, sidecars: Mapping[Path, Mapping[str, Any]], config: DatasetConfig, rejects: Rejects
) -> Iterator[Sample]:
    name = path.name if path == root else str(path.relative_to(root))
    readers = {".txt": _text_rows, ".jsonl": _jsonl_rows, ".parquet": _parquet_rows}
    try:
        for line, row in readers[path.suffix](path, name, rejects):
            if sidecars and path.suffix == ".jsonl" and _described(row, path, root, set(sidecars)) is not None:
                continue
            row = {**sidecars[path], "document": name, **row} if path in sidecars else row
            yield from _of_row(row, name, line, config, rejects)
    except OSError as error:
        rejects.add(name, 0, f"cannot be read: {(error.strerror or str(error)).lower()}")


def _of_row(row: Mapping[str, Any], name: str, line: int, config: DatasetConfig, rejects: Rejects) -> Iterator[Sample]:
    try:
        for sample, notes in samples(row, f"{name}:{line}" if line else name, config):
            for note in notes:
                rejects.note(note)
            yield sample
    except BadRow as error:
        rejects.add(name, line, str(error))


def _text_rows(path: Path, name: str, rejects: Rejects) -> Iterator[Row]:
    """A text file as one row; Project Gutenberg's licence around a book is left out."""
    if path.stat().st_size > MAX_LINE:
        rejects.add(name, 0, f"too large: {path.stat().st_size} bytes, at most {MAX_LINE}; cut it into several files")
        return
    data = path.read_bytes()
    if b"\0" in data:
        rejects.add(name, 0, "binary: holds NUL bytes")
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
        rejects.note("text file that is not UTF-8, read as Windows-1252")
    yield 0, {"text": _without_licence(text.replace("\r\n", "\n"))}


def _without_licence(text: str) -> str:
    import re

    start = re.search(r"^\*\*\* ?START OF.*$", text, re.MULTILINE)
    end = re.search(r"^\*\*\* ?END OF.*$", text, re.MULTILINE)
    return text[start.end() if start else 0 : end.start() if end else len(text)]


def _jsonl_rows(path: Path, name: str, rejects: Rejects) -> Iterator[Row]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                rejects.add(name, number, f"line too long: over {MAX_LINE} bytes")
                while line and not line.endswith(b"\n"):
                    line = file.readline(MAX_LINE)
                continue
            if not line.strip():
                continue
            try:
                row = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
            except orjson.JSONDecodeError as error:
                rejects.add(name, number, f"not JSON: {error.msg}")
                continue
            if isinstance(row, dict):
                yield number, row
            else:
                rejects.add(name, number, f"not a JSON object: {type(row).__name__}")


def _parquet_rows(path: Path, name: str, rejects: Rejects) -> Iterator[Row]:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (arrow.ArrowException, OSError) as error:
        rejects.add(name, number, f"not readable Parquet: {' '.join(str(error).split())[:120]}")
