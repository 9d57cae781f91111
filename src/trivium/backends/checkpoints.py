"""Checkpoints and weights on disk: a folder appears whole or not at all, and only a whole one is resumed."""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivium import durable
from trivium.artifact import file_hash
from trivium.errors import ConfigError, TrainingError

logger = logging.getLogger(__name__)

MARKER = "complete.json"
PREFIX = "checkpoint-"
_WHOLE, _BLOCK, _BLOCKS = 2**28, 2**20, 256
"""Bytes up to which a file is hashed whole; of longer ones so many blocks of so many bytes are."""


@contextmanager
def new_folder(place: Path, nested: bool = False) -> Iterator[Path]:
    """A temporary folder that takes `place`, forced to disk, when the block ends well and vanishes when it does not.

    With `nested`, what takes the place is the folder of the same name that the block made inside. Raises `TrainingError`
    when it cannot be written, for example on a full disk.
    """
    from safetensors import SafetensorError

    temporary = durable.under_way(place)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        durable.put(temporary / place.name if nested else temporary, place)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise TrainingError(
            f"could not write {place} ({' '.join(str(error).split())[:200]}); free some space or write elsewhere "
            "(hydra.run.dir=…) and run again; earlier checkpoints are untouched."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class _Aloud(logging.Handler):
    """Passes sentences of a log on."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._warn = warn

    def emit(self, record: logging.LogRecord) -> None:
        self._warn(record.getMessage())


@contextmanager
def aloud(warn: Callable[[str], None]) -> Iterator[None]:
    """What is wrong with checkpoints is also passed to `warn`, beside the run's log, while a training lasts."""
    handler = _Aloud(warn)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@dataclass(frozen=True)
class Found:
    """A folder that looks like a checkpoint; `marker` is None where it has none that can be read."""

    path: Path
    marker: dict[str, Any] | None

    @property
    def step(self) -> int:
        """The optimiser steps done."""
        return int(self.path.name.removeprefix(PREFIX))

    def of(self, key: str) -> bool:
        """Whether it belongs to a training."""
        return self.marker is not None and self.marker["key"] == key


def mark(folder: Path, step: int, key: str) -> None:
    """Write the marker, last of all: the step, what was being trained (`key`), and what every file holds."""
    files = {str(path.relative_to(folder)): digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    (folder / MARKER).write_text(json.dumps({"step": step, "key": key, "files": files}), encoding="utf-8")


def digest(path: Path) -> str:
    """`<bytes>:<sha256>` of a file: of all its bytes up to 256 MiB, above that of 256 blocks of 1 MiB, both ends among them.

    So the size of a model bounds what a checkpoint costs, and a file cut short, emptied or filled with zeros is still told.
    """
    size = path.stat().st_size
    if size <= _WHOLE:
        return f"{size}:{file_hash(path)}"
    found = hashlib.sha256()
    with path.open("rb") as file:
        for i in range(_BLOCKS):
            file.seek(i * (size - _BLOCK) // (_BLOCKS - 1))
            found.update(file.read(_BLOCK))
    return f"{size}:{found.hexdigest()}"


def latest(folder: Path, key: str) -> Path | None:
    """The newest whole checkpoint of this training, or None; damaged ones are passed over with a warning.

    Clears up what a kill left half written. Raises `ConfigError` when the checkpoints are another training's.
    """
    durable.recover(folder)
    found = sorted(_found(folder), key=lambda one: one.step, reverse=True)
    if other := next((one for one in found if one.marker is not None and not one.of(key)), None):
        raise ConfigError(
            f"{folder} holds an unfinished training (step {other.step}) on other data, another base model or other settings; "
            "put those back, or give another hydra.run.dir, or remove that folder to train anew."
        )
    for one in found:
        if (damage := _damage(one)) is None:
            return one.path
        logger.warning("%s is passed over, for it is damaged (%s).", one.path, damage)
    return None


def prune(folder: Path, key: str, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints of this training, and folders that have no marker."""
    found = list(_found(folder))
    ours = sorted((one for one in found if one.of(key)), key=lambda one: one.step)
    for one in [*ours[:-keep], *(one for one in found if one.marker is None)]:
        shutil.rmtree(one.path, ignore_errors=True)


def any_in(folder: Path) -> bool:
    """Whether a training has left checkpoints in a folder."""
    return any(folder.glob(f"{PREFIX}*/{MARKER}"))


def reached(folder: Path) -> int | None:
    """The step of the newest checkpoint that a training has left in a folder, whole or not; None without any."""
    return max((one.step for one in _found(folder) if one.marker is not None), default=None)


def _found(folder: Path) -> Iterator[Found]:
    for path in folder.glob(f"{PREFIX}*"):
        if path.name.removeprefix(PREFIX).isdecimal():
            yield Found(path, _marker(path))


def _marker(path: Path) -> dict[str, Any] | None:
    try:
        marker = json.loads((path / MARKER).read_text(encoding="utf-8"))
        return {"key": str(marker["key"]), "files": dict(marker["files"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _damage(one: Found) -> str | None:
    """What is wrong with a checkpoint; None for a whole one."""
    if one.marker is None:
        return f"{MARKER} cannot be read"
    for name, told in one.marker["files"].items():
        path = one.path / name
        if not path.is_file():
            return f"{name} is missing"
        if digest(path) != told:
            return f"{name} is not as it was written"
    return None
