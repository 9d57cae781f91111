"""Answers to look at: a few questions with what the base model and the tuned one said."""

from collections import defaultdict
from itertools import zip_longest
from typing import Any, NamedTuple

from trivium.evaluation.items import Scores

_KINDS = 3
"""Parts of an item's id: passage, component, number."""


class Shown(NamedTuple):
    """A question and two answers to it."""

    question: str
    base: str
    tuned: str


def samples_shown(tuned: Scores, base: Scores, count: int) -> list[Shown]:
    """At most `count` questions, spread over the components of the persona and both sides of the period; always the same."""
    kinds = defaultdict[str, list[Shown]](list)
    for name, row, before in _answered(tuned, base):
        kinds[name].append(Shown(row["question"], before["completion"], row["completion"]))
    layers = zip_longest(*(kinds[name] for name in sorted(kinds)))
    return [shown for layer in layers for shown in layer if shown is not None][:count]


def _answered(tuned: Scores, base: Scores) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    found = []
    for metric in ("questions", "temporal_compliance"):
        before = {row["id"]: row for row in base.answers.get(metric, ())}
        rows = [row for row in tuned.answers.get(metric, ()) if row["id"] in before]
        found += [(_kind(metric, row), row, before[row["id"]]) for row in rows if row.get("kind", "question") == "question"]
    return found


def _kind(metric: str, row: dict[str, Any]) -> str:
    """The component of a held-out row; the side of the cut-off of a dated question."""
    if metric == "questions":
        parts = str(row["id"]).rsplit("/", _KINDS - 1)
        return f"1 {parts[1]}" if len(parts) == _KINDS else "1"
    return "2 later" if row["later"] else "3 earlier"
