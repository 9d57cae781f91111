"""What could not be used: counted with file, line and reason, so that one bad line never ends a run."""

from collections import Counter
from typing import Any, NamedTuple, Protocol

import orjson

SHOWN = 3
"""Rejects kept for messages; all of them go to the file."""


class BadRow(ValueError):
    """A row or file that cannot be used. `kind` is a fixed phrase that is counted, `detail` tells this case."""

    def __init__(self, kind: str, detail: str = "") -> None:
        self.kind, self.detail = kind, detail
        super().__init__(f"{kind}: {detail}" if detail else kind)


class Sink(Protocol):
    """Where the lines go."""

    def write(self, data: bytes, /) -> object:
        """Append the bytes."""


class Note(NamedTuple):
    """Something odd in rows that are kept: how often, and where first."""

    times: int
    first: str


class Rejects:
    """The tally of a preparation. With a sink, every reject is written to it at once as `{"file", "line", "reason"}`."""

    def __init__(self, sink: Sink | None = None) -> None:
        self._sink = sink
        self._first: list[str] = []
        self.reasons: Counter[str] = Counter()
        self.notes: dict[str, Note] = {}

    @property
    def count(self) -> int:
        """Lines and files left out."""
        return sum(self.reasons.values())

    def add(self, file: str, line: int | None, problem: BadRow) -> None:
        """Leave a line (counted from 1), or with None the whole file, out."""
        self.reasons[problem.kind] += 1
        if len(self._first) < SHOWN:
            self._first.append(f"{place(file, line)}: {problem}")
        if self._sink is not None:
            row = {"file": file, "line": line, "reason": str(problem)}
            self._sink.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    def note(self, what: str, where: str) -> None:
        """Count something odd in a row that is kept."""
        known = self.notes.get(what)
        self.notes[what] = Note(1, where) if known is None else known._replace(times=known.times + 1)

    @property
    def shown(self) -> int:
        """How many `first` tells."""
        return len(self._first)

    def first(self) -> str:
        """The first few, in words."""
        return "; ".join(self._first)

    def report(self) -> dict[str, Any]:
        """Counts by reason, and the notes."""
        return {"reasons": dict(self.reasons), "notes": {what: note._asdict() for what, note in self.notes.items()}}


def place(file: str, line: int | None) -> str:
    """Where a row stands: `file` or `file:line`."""
    return file if line is None else f"{file}:{line}"
