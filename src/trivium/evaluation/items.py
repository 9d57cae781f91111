"""What is asked and what came of it: the records that every evaluation shares."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.artifact import MANIFEST, write_json
from trivium.evaluation.respondents import Reading
from trivium.evaluation.suites import Part
from trivium.sample import Sample

if TYPE_CHECKING:
    from trivium.evaluation.persona import PersonaItems

LONGEST = 512
"""Tokens of a generated answer where nothing else is said."""

Measure = Callable[[list[Sample], list[str]], dict[str, list[float | None]]]
"""Values of completions by metric, None where a metric does not apply."""

_SCORES = "scores.json"


@dataclass
class EvalItems:
    """All that is asked: parts of suites, held-out documents by band, held-out questions, what a persona is asked besides; what
    was left out, and what training had seen.
    """

    parts: list[Part]
    documents: dict[str, list[Sample]]
    questions: list[Sample] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    persona: "PersonaItems | None" = None

    @property
    def count(self) -> int:
        """Questions and documents."""
        asked = sum(len(part.items) for part in self.parts) + sum(map(len, self.documents.values())) + len(self.questions)
        return asked + (self.persona.count if self.persona else 0)


@dataclass
class Scores:
    """Per metric the value (0 or 1) of every item, per band the reading of every document, by id; and the answers given."""

    items: dict[str, dict[str, float]] = field(default_factory=dict)
    readings: dict[str, dict[str, Reading]] = field(default_factory=dict)
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """`scores.json`, and one file per metric with every question, its options and what was answered."""
        write_json(folder / _SCORES, {"items": self.items, "readings": self.readings})
        for metric, rows in self.answers.items():
            write_json(folder / f"{metric}.json", rows)

    @classmethod
    def load(cls, folder: Path) -> "Scores":
        """What `save` wrote."""
        data = json.loads((folder / _SCORES).read_text(encoding="utf-8"))
        readings = {b: {k: Reading(*v) for k, v in rows.items()} for b, rows in data["readings"].items()}
        files = [path for path in sorted(folder.glob("*.json")) if path.name not in (_SCORES, MANIFEST)]
        answers = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}
        return cls(data["items"], readings, answers)


def measured(
    samples: list[Sample], values: dict[str, list[float | None]], texts: list[str]
) -> tuple[dict[str, dict[str, float]], list[dict[str, Any]]]:
    """Per metric the values by item, those that are missing left out; and every answer with its values."""
    ids = [sample.id for sample in samples]
    found = {m: {i: v for i, v in zip(ids, column, strict=True) if v is not None} for m, column in values.items()}
    rows = [
        {
            "id": sample.id,
            "question": sample.question,
            "reference": sample.reference,
            "completion": text,
            **{metric: column[i] for metric, column in values.items()},
        }
        for i, (sample, text) in enumerate(zip(samples, texts, strict=True))
    ]
    return found, rows
