"""Optuna's journal file, made to survive what stops a process, or fills a disk, in the middle of a line."""

import os
from pathlib import Path
from typing import Any

from filelock import FileLock
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock


class Journal(JournalFileBackend):
    """A journal whose last line is whole whenever another is added.

    Optuna skips a torn line while it is the last one; a line added behind it would make the file unreadable for good.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._held = path, _Lock(path)
        super().__init__(str(path), self._held)

    def __reduce__(self) -> Any:
        return Journal, (self._path,)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add lines, all or none; raises `OSError` (disk full) after taking back what was written."""
        with self._held.lock:
            size = whole_bytes(self._path)
            _cut(self._path, size)
            try:
                super().append_logs(logs)
            except OSError:
                _cut(self._path, size)
                raise


class _Lock(BaseJournalFileLock):
    """A lock that the system takes back from a process that dies, where Optuna's own would hold up the others."""

    def __init__(self, path: Path) -> None:
        self.lock = FileLock(f"{path}.lock")

    def acquire(self) -> bool:
        """Wait for it."""
        self.lock.acquire()
        return True

    def release(self) -> None:
        """Let the next one have it."""
        self.lock.release()


def whole_bytes(path: Path) -> int:
    """Bytes up to the end of the last whole line."""
    end = path.stat().st_size
    with path.open("rb") as file:
        while end:
            start = max(0, end - 65536)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0


def _cut(path: Path, size: int) -> None:
    if path.stat().st_size > size:
        os.truncate(path, size)
