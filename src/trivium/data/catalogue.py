"""Metadata that stands beside text files: a sidecar per file, or a .jsonl whose rows name files in a `file` column."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from trivium.data.rejects import Rejects


@dataclass
class Catalogue:
    """Which .jsonl files are metadata, and the line that describes each text file."""

    files: set[Path] = field(default_factory=set)
    lines: dict[Path, bytes] = field(default_factory=dict)

    def row(self, text: Path, name: str, rejects: Rejects) -> dict[str, Any]:
        """The metadata of a text file, the sidecar's word before the catalogue's; unreadable metadata is noted."""
        row: dict[str, Any] = orjson.loads(self.lines[text]) if text in self.lines else {}
        row.pop("file", None)
        for sidecar in _sidecars(text):
            try:
                value = orjson.loads(sidecar.read_bytes())
            except (OSError, orjson.JSONDecodeError):
                value = None
            if isinstance(value, dict):
                row |= value
            else:
                rejects.note("sidecar that is not one JSON object, not used", f"{name} ({sidecar.name})")
        for column in ("text", "body", "content"):
            row.pop(column, None)
        return row


def catalogue(root: Path, files: list[Path], rejects: Rejects) -> Catalogue:
    """The metadata of the text files among `files`; a name that is not one of them is never opened."""
    found = Catalogue()
    texts = {path for path in files if path.suffix.lower() == ".txt"}
    if not texts:
        return found
    for path in files:
        if path.suffix.lower() == ".jsonl" and _is_catalogue(path):
            found.files.add(path)
            for line, name in _described(path):
                target = next((p for p in (path.parent / name, root / name) if p in texts), None)
                if target is not None:
                    found.lines[target] = line
                else:
                    rejects.note("metadata of a text file that is not there", f"{path.name} ({name})")
    return found


def _sidecars(text: Path) -> Iterator[Path]:
    names = (f"{text.stem}.json", f"{text.name}.json", f"{text.stem}.meta.json")
    yield from (path for name in names if (path := text.with_name(name)).is_file() and not path.is_symlink())


def _is_catalogue(path: Path) -> bool:
    """Whether the first row names a text file and holds no text itself."""
    return next(_described(path, only_first=True), None) is not None


def _described(path: Path, only_first: bool = False) -> Iterator[tuple[bytes, str]]:
    try:
        with path.open("rb") as file:
            for line in file:
                name = _names(line)
                if name is not None:
                    yield line, name
                elif only_first and line.strip():
                    return
    except OSError:
        return


def _names(line: bytes) -> str | None:
    try:
        row = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None
    name = row.get("file") if isinstance(row, dict) and "text" not in row else None
    return name if isinstance(name, str) and name.lower().endswith(".txt") else None
