"""The ledger of a teacher's replies: one SQLite file, each reply written as soon as it is there, never asked for twice."""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from trivium.errors import DataError

_WAIT = 60.0
"""Seconds that one process waits for another's write."""

_TABLE = (
    "CREATE TABLE IF NOT EXISTS replies "
    "(key TEXT PRIMARY KEY, job TEXT, attempt INTEGER, text TEXT, prompt_tokens INTEGER, reply_tokens INTEGER)"
)


class Reply(NamedTuple):
    """What a teacher said; tokens are None where the server does not count them."""

    text: str
    prompt_tokens: int | None = None
    reply_tokens: int | None = None


class Ledger:
    """Replies by the hash of what was asked. Safe against sudden ends, and for several processes at once."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file; raises `DataError` where that cannot be."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(path, timeout=_WAIT, isolation_level=None)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.execute(_TABLE)
        except (sqlite3.Error, OSError) as error:
            raise DataError(
                f"{path} is no ledger of replies, or cannot be written ({error}); remove it to begin anew."
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def get(self, key: str) -> Reply | None:
        """The reply to what was asked, if there is one."""
        query = "SELECT text, prompt_tokens, reply_tokens FROM replies WHERE key = ?"
        found = self._base.execute(query, (key,)).fetchone()
        return None if found is None else Reply(*found)

    def put(self, key: str, job: str, attempt: int, reply: Reply) -> None:
        """Write a reply down, unless another process was faster: the first one stays."""
        try:
            self._base.execute("INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?, ?, ?)", (key, job, attempt, *reply))
        except sqlite3.Error as error:
            raise DataError(
                f"{self.path} cannot be written ({error}); free space and run again, what is there is kept."
            ) from error

    def tokens(self) -> tuple[int, int]:
        """Tokens of all prompts and of all replies."""
        query = "SELECT COALESCE(SUM(prompt_tokens), 0), COALESCE(SUM(reply_tokens), 0) FROM replies"
        prompts, replies = self._base.execute(query).fetchone()
        return int(prompts), int(replies)
