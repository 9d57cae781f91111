"""What every schema is made of: a field with its sentence and its rules; and the words that several of them share."""

from dataclasses import dataclass, field, is_dataclass
from typing import Any

BANDS = ("low", "mid", "high")
"""Authority bands: low `[0, 0.3)`, mid `[0.3, 0.7]`, high `(0.7, 0.99]`."""

STAGES = ("acquire", "prepare", "train", "evaluate", "export")
TASKS = ("run", "plan", "doctor", "audit", "reproduce", "chat", "serve")
TEXT_FILES = (".txt", ".jsonl", ".parquet")
"""Suffixes of the files that `dataset.path` reads."""


def opt(default: Any, doc: str, **rules: Any) -> Any:
    """A config field with its sentence. Rules: `ge`, `gt`, `le`, `lt` (numbers) and `choices` (values or list items)."""
    metadata = {"doc": doc, **rules}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    if is_dataclass(default) and isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class NoneConfig:
    """Nothing of this kind."""

    name: str = opt("none", "Label.")
