"""Does a row meet the published schema of its shape? What it breaks is told as path, what is allowed, and what was found."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Row = Mapping[str, Any]

_SHAPES = (
    ("messages", "messages"),
    ("prompt", "prompt"),
    ("question", "question"),
    ("output", "instruction"),
    ("input", "instruction"),
    ("instruction", "qa"),
    ("response", "qa"),
    ("text", "chunk"),
)
"""A column and the record type that a row with it is one of; the first that is there decides."""

_RENAMED = {"prompt": "prompt", "response": "answer", "document": "document"}
_SHOWN = 40


def record_of(row: Row) -> str | None:
    """The name of the record type of a row by its columns, None for none.

    >>> record_of({"question": "Why?", "answer": None}), record_of({"instruction": "Add.", "input": "1, 2"})
    ('question', 'instruction')
    """
    return next((record for column, record in _SHAPES if column in row), None)


def breaks(row: Row, fields: Mapping[str, str], own_columns: bool) -> str | None:
    """What a row breaks of its schema, as a sentence; None when it breaks nothing.

    `fields` are the row's own column names, as ours: theirs. A question or answer under a name of its own counts as `prompt`
    and `answer`. With `own_columns` a row may have columns that its record does not know.
    """
    from pydantic import ValidationError

    from trivium.data.questions.record import RECORDS

    row = _renamed(row, fields)
    name = record_of(row)
    if name is None:
        columns = ", ".join(list(row)[:8]) or "none"
        return f"no type of record has the columns of this one ({columns}); there are {', '.join(RECORDS)}"
    try:
        RECORDS[name].model_validate(row)
    except ValidationError as error:
        found = [p for p in error.errors(include_url=False) if not (own_columns and _is_own_column(p))]
        return _sentence(row, name, max(found, key=lambda p: len(_path(row, p)))) if found else None
    return None


def _is_own_column(problem: "ErrorDetails") -> bool:
    return problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1


def _renamed(row: Row, fields: Mapping[str, str]) -> dict[str, Any]:
    names = {theirs: _RENAMED.get(ours, ours) for ours, theirs in fields.items()}
    return {names.get(name, name): value for name, value in row.items()}


def _sentence(row: Row, name: str, problem: "ErrorDetails") -> str:
    from trivium.data.questions.record import PATTERNS, RECORDS

    path = _path(row, problem) or [name]
    where = ".".join(str(part) for part in path)
    context = problem.get("ctx", {})
    if problem["type"] == "missing":
        return f"{where}: is missing; a record of type {name} needs it"
    if problem["type"] == "extra_forbidden":
        allowed = f"allowed are {', '.join(RECORDS[name].model_fields)}" if len(path) == 1 else "no other key is allowed here"
        return f"{where}: no such column in a record of type {name}; {allowed}; your own columns go into metadata"
    if problem["type"] == "string_pattern_mismatch":
        return f"{where}: set to {_short(problem['input'])}; allowed is {PATTERNS[context['pattern']]}"
    said = problem["msg"].removeprefix("Value error, ")
    return f"{where}: set to {_short(problem['input'])}; {said[:1].lower()}{said[1:]}"


def _path(row: Row, problem: "ErrorDetails") -> list[str | int]:
    """Where in the row, without the names of types that a choice between types adds."""
    path: list[str | int] = []
    value: Any = row
    for part in problem["loc"]:
        known = range(len(value)) if isinstance(value, list) else value if isinstance(value, Mapping) else ()
        if part in known:
            value = value[part]
            path.append(part)
    return [*path, problem["loc"][-1]] if problem["type"] == "missing" else path


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(value) if isinstance(value, str) else 'long'})"
