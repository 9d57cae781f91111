"""Checkpoints and weights on disk: a folder appears whole or not at all, and only a whole one is resumed."""

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from trivium.errors import TrainingError

MARKER = "complete.json"
PREFIX = "checkpoint-"


@contextmanager
def new_folder(place: Path, nested: bool = False) -> Iterator[Path]:
    """A temporary folder that takes `place` when the block ends well and vanishes when it does not.

    With `nested`, what takes the place is the folder of the same name that the block made inside. Raises `TrainingError`
    when it cannot be written, for example on a full disk.
    """
    temporary = place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        _replace(temporary / place.name if nested else temporary, place)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise TrainingError(
            f"could not write {place} ({' '.join(str(error).split())[:200]}); free some space or write elsewhere "
            "(hydra.run.dir=…) and run again; earlier checkpoints are untouched."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def mark(folder: Path, step: int, key: str) -> None:
    """Write the marker, last of all: the step, what was being trained (`key`), and every file's size."""
    sizes = {file.name: file.stat().st_size for file in sorted(folder.iterdir()) if file.is_file()}
    (folder / MARKER).write_text(json.dumps({"step": step, "key": key, "files": sizes}), encoding="utf-8")


def latest(folder: Path, key: str) -> Path | None:
    """The newest whole checkpoint of this training, or None."""
    whole = [(step, path) for path in folder.glob(f"{PREFIX}*") if (step := _step(path, key)) is not None]
    return max(whole)[1] if whole else None


def prune(folder: Path, key: str, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints of this training, and whatever is damaged or of another one."""
    steps = {path: _step(path, key) for path in folder.glob(f"{PREFIX}*")}
    newest = sorted((step, path) for path, step in steps.items() if step is not None)[-keep:]
    for path in steps.keys() - {path for _, path in newest}:
        shutil.rmtree(path, ignore_errors=True)


def _step(path: Path, key: str) -> int | None:
    try:
        marker = json.loads((path / MARKER).read_text(encoding="utf-8"))
        whole = all((path / name).stat().st_size == size for name, size in marker["files"].items())
        return int(marker["step"]) if whole and marker["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _replace(folder: Path, place: Path) -> None:
    """Move a folder into its place; one already there is moved aside first and removed last."""
    aside = place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}.old")
    if place.exists():
        os.replace(place, aside)
    os.replace(folder, place)
    shutil.rmtree(aside, ignore_errors=True)
