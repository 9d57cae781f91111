"""Manifests: what a stage made, from what, with what settings. Written last, so that its presence means done."""

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

from trivium import __version__, durable

MANIFEST = "manifest.json"
_ATTEMPTS = 50


@dataclass
class Manifest:
    """A stage's receipt. `key` hashes config, inputs and code; `files` maps relative paths to sha256 (hex).

    `inputs` does the same for files elsewhere that it was made from and is only of use with.
    """

    stage: str
    key: str
    files: dict[str, str]
    metrics: dict[str, Any] = field(default_factory=dict)
    version: str = __version__
    inputs: dict[str, str] = field(default_factory=dict)


def key_of(*parts: Any) -> str:
    """Hash (hex, 16 characters) of settings: dataclasses, mappings, paths, plain values."""
    text = json.dumps([_jsonable(part) for part in parts], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_hash(path: Path) -> str:
    """sha256 (hex) of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def tree_hash(path: Path) -> dict[str, str]:
    """sha256 of a file, or of every readable regular file below a folder, by relative path."""
    if path.is_file():
        return {path.name: file_hash(path)}
    files = sorted(p for p in path.rglob("*") if p.is_file() and os.access(p, os.R_OK))
    return {str(p.relative_to(path)): file_hash(p) for p in files}


def code_hash(*rooms: str) -> str:
    """Hash of the package's own sources in the named files or folders: changed code makes its products anew."""
    here, kinds = Path(__file__).parent, (".py", ".yaml", ".txt")
    return key_of({room: {k: v for k, v in tree_hash(here / room).items() if k.endswith(kinds)} for room in rooms})


def write_json(path: Path, value: Any) -> None:
    """Write JSON in one step: a reader, also after a power cut, sees the old file or the whole new one."""
    durable.write_text(path, json.dumps(_jsonable(value), indent=2, ensure_ascii=False) + "\n")


def seal(
    folder: Path, stage: str, key: str, files: list[Path], metrics: Mapping[str, Any], inputs: Mapping[str, str] | None = None
) -> Manifest:
    """Write the manifest of a finished stage over the given files of `folder`."""
    hashes = {str(p.relative_to(folder)): file_hash(p) for p in sorted(files)}
    manifest = Manifest(stage, key, hashes, dict(metrics), inputs=dict(inputs or {}))
    write_json(folder / MANIFEST, asdict(manifest))
    return manifest


def receipt(folder: Path) -> Manifest | None:
    """The manifest of `folder`, whatever has become of its files since; None where there is none."""
    try:
        return Manifest(**json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def valid(folder: Path, key: str) -> Manifest | None:
    """The manifest of `folder` if it was made with this key and every file still is what it was, else None."""
    manifest = receipt(folder)
    if manifest is None or manifest.key != key:
        return None
    whole = all((folder / name).is_file() and file_hash(folder / name) == sha for name, sha in manifest.files.items())
    return manifest if whole else None


def cached(folder: Path, stage: str, key: str, make: Callable[[Path], Mapping[str, Any]]) -> tuple[Manifest, bool]:
    """The folder's valid manifest, or the one of a product made now; the flag tells whether it was there already.

    The product is made beside its place and moved in one step, so two processes may make it at the same time and a killed
    one leaves nothing behind that could be taken for whole.
    """
    if manifest := valid(folder, key):
        return manifest, True
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = durable.under_way(folder)
    try:
        temporary.mkdir()
        metrics = make(temporary)
        seal(temporary, stage, key, [p for p in temporary.rglob("*") if p.is_file()], metrics)
        _put(temporary, folder, key)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    manifest = valid(folder, key)
    if manifest is None:
        raise OSError(f"{folder} changed while it was being written")
    return manifest, False


def _put(made: Path, folder: Path, key: str) -> None:
    """Move a product into its place, unless another process puts the same there at this very moment."""
    for attempt in range(_ATTEMPTS):
        if valid(folder, key):
            return
        shutil.rmtree(folder, ignore_errors=True)
        try:
            os.replace(made, folder)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.01)


def _jsonable(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _jsonable(asdict(value))
    if isinstance(value, Mapping):
        return {str(k): _jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_jsonable(v) for v in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and value != value:
        return None
    return value
