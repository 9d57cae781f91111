"""`docs/config.md`, made from the schemas: `python -m trivium.reference > docs/config.md`."""

import sys
from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass
from typing import Any

from trivium.binding import default_of, type_name
from trivium.compose import GROUPS, options
from trivium.schema import Config, group_schemas

HEAD = """\
# Every configuration key

Generated from `src/trivium/schema/` by `python -m trivium.reference > docs/config.md`; a test keeps it current.
Set any key on the command line (`trivium loss.alpha=1.5`) and choose an option of a group by name (`trivium loss=uniform`).
"""

KEYLESS = {
    "preset": "Values that suit a model with a method and an adapter: `<model>_<method>_<adapter>` where there is such a file; "
    "`preset=none` leaves them out. A preset has no keys of its own; experiments and the command line come after it.",
    "pairing": "Values that suit a model with a dataset and an adapter: `<model>_<dataset>_<adapter>` where there is such a "
    "file; `pairing=none` leaves them out. They come after the preset.",
    "experiment": "An experiment overrides the other groups; it has no keys of its own.",
}


def markdown() -> str:
    """The whole page."""
    root = [f for f in fields(Config) if f.name not in GROUPS]
    parts = [HEAD, "## The run\n", _table(_rows(root, ""))]
    for group in GROUPS:
        parts.append(f"## {group}\n\nOptions: {', '.join(f'`{o}`' for o in options(group))}.\n")
        if group in KEYLESS:
            parts.append(f"{KEYLESS[group]}\n")
            continue
        for name, schema in group_schemas(group).items():
            title = f"### {group}={name}\n\n" if name else ""
            parts.append(f"{title}{_sentence(schema)}\n\n{_table(_rows(list(fields(schema)), f'{group}.'))}")
    return "\n".join(parts)


def _rows(items: "list[Field[Any]]", prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for item in items:
        key = f"{prefix}{item.name}"
        if is_dataclass(item.type):
            yield from _rows(list(fields(item.type)), f"{key}.")
            continue
        doc = item.metadata["doc"].replace("|", "\\|")
        yield f"`{key}`", type_name(item.type, item.metadata), _value(default_of(item)), doc


def _table(rows: "Iterator[tuple[str, str, str, str]]") -> str:
    lines = ["| key | allowed | default | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _sentence(schema: type) -> str:
    return " ".join((schema.__doc__ or "").split())


def _value(value: Any) -> str:
    words = {None: "null", True: "true", False: "false"}
    return f"`{words[value] if value is None or isinstance(value, bool) else value}`"


if __name__ == "__main__":
    sys.stdout.write(markdown())
