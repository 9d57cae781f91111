"""From a row of somebody's file to samples: known columns under many names, their ranges, long texts cut into pieces."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from trivium.data.pieces import pieces
from trivium.data.rejects import BadRow, Rejects, place
from trivium.data.years import parse_year
from trivium.errors import DataError
from trivium.sample import Message, Sample
from trivium.schema import DatasetConfig

Row = Mapping[str, Any]

COLUMNS: dict[str, tuple[str, ...]] = {
    "text": ("text", "body", "content"),
    "messages": ("messages", "conversation"),
    "prompt": ("instruction", "prompt"),
    "response": ("response", "output", "completion"),
    "title": ("title",),
    "year": ("year", "date", "published", "publication_date"),
    "source_type": ("source_type", "kind"),
    "authority": ("authority", "auth_weight"),
    "entropy": ("entropy", "prov_entropy"),
    "trivium": ("trivium", "trivium_category"),
    "document": ("document", "doc_id", "document_id", "identifier"),
}
"""Ours: the names that files use for it, best first; `dataset.fields` names one's own. All other columns are metadata."""

CONTENT = ("text", "messages", "prompt", "response")
_DATES = COLUMNS["year"][1:]
"""Say more than the year that is read from them, so they stay in the metadata."""

ROLES = ("system", "user", "assistant")
MAX_AUTHORITY = 0.99
_SHAPES = 1000


class Content(NamedTuple):
    """What a row says: a plain text, or a conversation with what its assistant says as the text."""

    text: str
    messages: list[Message] | None


class Plan(NamedTuple):
    """For rows with the same column names: candidates for each of our columns, and the columns that are metadata."""

    ours: dict[str, tuple[str, ...]]
    rest: tuple[str, ...]


class Records:
    """Turns rows into samples by `dataset.fields`, `source_type`, `min_chars` and `max_chars`; bad rows go to `rejects`."""

    def __init__(self, config: DatasetConfig, rejects: Rejects) -> None:
        self._config, self._rejects = config, rejects
        self._aliases = COLUMNS | {ours: (theirs,) for ours, theirs in config.fields.items()}
        self._plans: dict[tuple[str, ...], Plan] = {}
        self._columns: set[str] = set()

    def of_row(self, row: Row, file: str, line: int | None) -> list[Sample]:
        """The samples of one row; none when it is rejected."""
        try:
            return self._samples(row, file, line)
        except BadRow as problem:
            self._rejects.add(file, line, problem)
            return []

    def of_text(self, lines: Iterable[str], row: Row, file: str) -> Iterator[Sample]:
        """The samples of a text file whose metadata is `row`: one document, read line by line."""
        ours, metadata = self._split(row)
        ours["document"] = ours.get("document") or file
        facts = self._facts(ours, file)
        yielded = 0
        for number, piece in enumerate(pieces(lines, self._config.max_chars)):
            _require_text(piece)
            if len(piece) >= self._config.min_chars:
                yield Sample(f"{file}#{number}", piece, origin=file, metadata=dict(metadata), **facts)
                yielded += 1
            elif number:
                self._rejects.note("end of a document shorter than dataset.min_chars left out", file)
        if not yielded:
            raise BadRow("too short", f"fewer than {self._config.min_chars} characters of text (dataset.min_chars)")

    def check_fields(self) -> None:
        """Raise `DataError` for a name in `dataset.fields` that no row had."""
        for ours, theirs in self._config.fields.items():
            require_column(f"dataset.fields.{ours}", theirs, self._columns)

    def _samples(self, row: Row, file: str, line: int | None) -> list[Sample]:
        ours, metadata = self._split(row)
        where = place(file, line)
        text, messages = _content(ours, metadata)
        length = len(text) if messages is None else sum(len(message["content"]) for message in messages)
        if length < self._config.min_chars:
            raise BadRow("too short", f"{length} characters, dataset.min_chars is {self._config.min_chars}")
        facts = self._facts(ours, where)
        if messages is not None or len(text) <= self._config.max_chars:
            return [Sample(f"{where}#0", text, messages, origin=file, metadata=metadata, **facts)]
        parts = [p for p in pieces(text.splitlines(keepends=True), self._config.max_chars) if len(p) >= self._config.min_chars]
        return [Sample(f"{where}#{n}", part, origin=file, metadata=dict(metadata), **facts) for n, part in enumerate(parts)]

    def _split(self, row: Row) -> tuple[dict[str, Any], dict[str, Any]]:
        """Values by our names, and the rest; what is null counts as missing."""
        names = tuple(row)
        plan = self._plans.get(names) or self._plan(names)
        ours = {}
        for column, candidates in plan.ours.items():
            for name in candidates:
                if (value := row[name]) is not None:
                    ours[column] = value
                    break
        return ours, {name: value for name in plan.rest if (value := row[name]) is not None}

    def _plan(self, names: tuple[str, ...]) -> Plan:
        if len(self._plans) >= _SHAPES:
            self._plans.clear()
        self._columns.update(names)
        ours = {column: tuple(n for n in aliases if n in names) for column, aliases in self._aliases.items()}
        ours = {column: found for column, found in ours.items() if found}
        used = {name for column in CONTENT for name in ours.get(column, ())}
        used |= {found[0] for found in ours.values()} - set(_DATES)
        plan = self._plans[names] = Plan(ours, tuple(name for name in names if name not in used))
        return plan

    def _facts(self, ours: dict[str, Any], where: str) -> dict[str, Any]:
        """Everything about a document beside its words."""
        return {
            "title": as_text(ours.get("title")),
            "source_type": as_text(ours.get("source_type")) or self._config.source_type or "unknown",
            "year": self._year(ours.get("year"), where),
            "authority": self._score(ours.get("authority"), "authority", MAX_AUTHORITY, where),
            "entropy": self._score(ours.get("entropy"), "entropy", math.inf, where),
            "trivium": as_text(ours.get("trivium")) or "unknown",
            "document": as_text(ours.get("document")) or where,
        }

    def _score(self, value: Any, name: str, most: float, where: str) -> float | None:
        """The data's own score; one that cannot be used costs the row only where scores are taken as given."""
        try:
            return _number(value, name, most)
        except BadRow as problem:
            if self._config.provenance.mode == "given":
                raise
            self._rejects.note(f"{name} column that is no number in range, not used in this mode", f"{where} ({problem})")
            return None

    def _year(self, value: Any, where: str) -> int | None:
        if type(value) is int and 1000 <= value <= 2000:
            return value
        return year_of(value, where, self._rejects)


def require_column(setting: str, name: str, columns: Collection[str]) -> None:
    """Raise `DataError` unless some row had the column that the configuration names under the key `setting`."""
    if name not in columns:
        known = ", ".join(sorted(columns)) or "none"
        raise DataError(f"{setting}: no row has a column {name!r}; columns found: {known}.")


def year_of(value: Any, where: str, rejects: Rejects) -> int | None:
    """The year that a column states; one that cannot be read is noted."""
    year = parse_year(value)
    if year is None and value not in (None, ""):
        rejects.note("year that cannot be read, taken as unknown", f"{where} ({str(value)[:40]!r})")
    return year


def _content(ours: dict[str, Any], metadata: dict[str, Any]) -> Content:
    """Messages before prompt and response before plain text: what is a conversation is learned as one."""
    if "messages" in ours:
        messages = _messages(ours["messages"])
    elif "prompt" in ours and "response" in ours:
        prompt, response = ours["prompt"], ours["response"]
        if isinstance(prompt, list):
            messages = _messages([*prompt, {"role": "assistant", "content": response}])
        else:
            extra = metadata.pop("input", None)
            prompt = f"{prompt}\n\n{extra}" if extra and isinstance(extra, str) else prompt
            messages = _messages([{"role": "user", "content": prompt}, {"role": "assistant", "content": response}])
    elif "text" in ours:
        return Content(plain(ours["text"]), None)
    else:
        wanted = "text (or body, content), messages, or instruction and response"
        raise BadRow("no text", f"a row needs {wanted}; dataset.fields names your own columns")
    return Content("\n\n".join(m["content"] for m in messages if m["role"] == "assistant"), messages)


def _messages(turns: Any) -> list[Message]:
    if not isinstance(turns, list) or not all(is_turn(turn) for turn in turns):
        raise BadRow("messages not readable", "wanted is a list of {role: system | user | assistant, content: text}")
    messages = [{"role": turn["role"], "content": plain(turn["content"])} for turn in turns]
    if not any(m["role"] == "assistant" and m["content"] for m in messages):
        raise BadRow("nothing to learn", "no turn of the assistant has words")
    return messages


def is_turn(turn: Any) -> bool:
    """Whether a value is a message."""
    return isinstance(turn, Mapping) and turn.get("role") in ROLES and isinstance(turn.get("content"), str)


def plain(text: Any) -> str:
    """A text without white space around it, its lines ended by newlines. Raises `BadRow` for another type or NUL characters."""
    if not isinstance(text, str):
        raise BadRow("text is not a string", f"it is {type(text).__name__}")
    _require_text(text)
    return text.replace("\r\n", "\n").replace("\r", "\n").strip() if "\r" in text else text.strip()


def _require_text(text: str) -> None:
    if "\0" in text:
        raise BadRow("binary text", "it holds NUL characters")


def _number(value: Any, name: str, most: float) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= most or math.isinf(number):
        allowed = f"from 0 to {most}" if math.isfinite(most) else "of bits, 0 or more"
        raise BadRow(f"{name} out of range", f"{value!r}; allowed is a number {allowed}")
    return number


def as_text(value: Any) -> str | None:
    """A plain value as text; None for null and for blank texts."""
    return value.strip() or None if isinstance(value, str) else None if value is None else str(value)
