"""What a persona is asked, and what came of it: style, period, conversations, voice, and what was lost of ordinary language."""

import datetime
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path

from trivium.data import chat
from trivium.data.jsonl import read_samples
from trivium.data.library.dated import DatedFact, saved
from trivium.data.library.period import last_day
from trivium.evaluation import dialogue, judge, period, style
from trivium.evaluation.items import EvalItems, Scores, measured
from trivium.evaluation.respondents import Respondent
from trivium.evaluation.suites import Part
from trivium.evaluation.voice import Voice
from trivium.sample import Sample
from trivium.schema import DatasetConfig, PersonaEvaluation, PersonaTargets
from trivium.scores.completion import THINK, Tags, split

GENERAL = "general"
"""The name under which ordinary conversations are read."""

_MOST_JUDGED = 5000
"""Rows that are read for the style judge."""


@dataclass
class PersonaItems:
    """What there is beside the held-out questions: rows that train the style judge and the texts of their passages by
    id, ordinary conversations, wordings of dated facts, conversations of several turns.
    """

    voice: Voice
    judged: list[Sample] = field(default_factory=list)
    passages: dict[str, str] = field(default_factory=dict)
    general: list[Sample] = field(default_factory=list)
    wordings: list[period.Wording] = field(default_factory=list)
    dialogues: list[dialogue.Dialogue] = field(default_factory=list)
    systems: list[str] = field(default_factory=list)
    targets: PersonaTargets = field(default_factory=PersonaTargets)
    tags: Tags = THINK

    @cached_property
    def style(self) -> style.StyleJudge | None:
        """The style judge, trained once; None where there is too little to train it on."""
        return style.train(self.judged, self.general, self.voice, self.passages)

    @property
    def count(self) -> int:
        """Questions about dated facts and turns of conversations."""
        return len(self.wordings) + sum(map(len, self.dialogues))

    def take_out(self, seen: Collection[str]) -> None:
        """Leave out wordings and conversations that training has seen."""
        self.wordings = [wording for wording in self.wordings if wording.id not in seen]
        self.dialogues = [talk for talk in self.dialogues if not any(sample.id in seen for sample in talk)]


def gather(items: EvalItems, config: PersonaEvaluation, dataset: DatasetConfig, prepared: Path, voice: Voice) -> None:
    """Add what a persona is asked to the items; parts of kind period become its dated facts."""
    rows = list(islice(read_samples(prepared / "heldout.jsonl"), config.questions))
    judged = _read(prepared / "judge.jsonl", _MOST_JUDGED)
    found = PersonaItems(
        voice,
        judged=judged,
        passages=_passages(prepared / "passages.jsonl", {str(row.metadata.get("passage")) for row in judged}),
        general=_read(prepared / "general.jsonl", config.max_perplexity_samples),
        dialogues=dialogue.dialogues(rows, config.dialogues, config.turns),
        systems=systems(rows),
        targets=config.targets,
        tags=chat.tags(dataset.chat),
    )
    cutoff, facts = _period(items, dataset, prepared)
    found.wordings = period.chosen(period.wordings(facts, cutoff), config.facts) if cutoff else []
    items.questions, items.persona = rows, found
    items.parts = [part for part in items.parts if part.kind != "period"]
    if found.general:
        items.documents[GENERAL] = found.general
    items.left_out += _missing(found, config, cutoff, facts)


def ask(respondent: Respondent, items: EvalItems, config: PersonaEvaluation, scores: Scores) -> None:
    """Ask everything of one respondent, and add what came of it to the scores."""
    asked = items.persona
    if asked is None:
        return
    if items.questions:
        _questions(respondent, items.questions, asked, config, scores)
    if asked.wordings:
        found, rows = period.ask(respondent, asked.wordings, asked.systems, asked.voice, config.max_new_tokens, asked.tags)
        scores.items |= found
        scores.answers["temporal_compliance"] = list(rows)
    if asked.dialogues and asked.style is not None:
        found, rows = dialogue.hold(respondent, asked.dialogues, asked.style, config.max_new_tokens, asked.tags)
        scores.items |= found
        scores.answers["multi_turn_consistency"] = rows


def systems(rows: Sequence[Sample]) -> list[str]:
    """The system messages under which the rows are asked, an empty text for none, in the order of their first use."""
    first = (row.prompt[0] for row in rows if row.prompt)
    return list(dict.fromkeys(turn["content"] if turn["role"] == "system" else "" for turn in first))


def _questions(
    respondent: Respondent, samples: list[Sample], asked: PersonaItems, config: PersonaEvaluation, scores: Scores
) -> None:
    texts = [split(text, asked.tags).answer for text in respondent.complete(samples, config.max_new_tokens)]
    values: dict[str, list[float | None]] = {}
    if asked.style is not None:
        values |= asked.style.values([sample.question for sample in samples], texts)
    if config.judge.base_url:
        values |= judge.values(config.judge, samples, texts, asked.voice.description)
    found, scores.answers["questions"] = measured(samples, values, texts)
    scores.items |= found
    if asked.style is not None:
        scores.items["style_judge_accuracy"] = asked.style.checks


def _read(path: Path, most: int) -> list[Sample]:
    return list(islice(read_samples(path), most)) if path.is_file() else []


def _passages(path: Path, wanted: Collection[str]) -> dict[str, str]:
    """The texts of some passages by id; of a file of millions, few are looked at for more than their id."""
    if not path.is_file():
        return {}
    names = {json.dumps(name, ensure_ascii=False).encode() for name in wanted}
    with path.open("rb") as file:
        lines = [line for line in file if line[line.find(b'"', 5) : line.find(b'","') + 1] in names]
    return {row["id"]: row["text"] for row in map(json.loads, lines)}


def _period(items: EvalItems, dataset: DatasetConfig, prepared: Path) -> tuple[datetime.date | None, list[DatedFact]]:
    """The end of the period, and the dated facts of the prepared data and of those suites that apply."""
    file, cutoff, facts = prepared / "period.json", None, list[DatedFact]()
    if file.is_file():
        cutoff, facts = saved(file)
    else:
        cutoff = last_day(dataset.library.period)
    for part in items.parts:
        if part.kind == "period" and _applies(part, dataset):
            facts += part.dated
        elif part.kind == "period":
            items.left_out.append(f"{part.metric} (asks about the real world)")
    return cutoff, facts


def _applies(part: Part, dataset: DatasetConfig) -> bool:
    return not part.real or dataset.generator is None


def _missing(
    found: PersonaItems, config: PersonaEvaluation, cutoff: datetime.date | None, facts: Sequence[DatedFact]
) -> list[str]:
    """What is not measured, and why."""
    lacks = []
    if found.style is None:
        lacks.append(
            f"style (judge.jsonl has {len(found.judged)} rows; it needs {style.FEWEST}, and ordinary answers beside them)"
        )
    if facts and cutoff is None:
        lacks.append("temporal compliance (dataset.library.period.cutoff is not set)")
    elif not period.pairs(found.wordings):
        lacks.append("temporal compliance (needs dated facts both before and after the cut-off)")
    if config.dialogues and not found.dialogues:
        lacks.append(f"conversations (no work has {config.turns} held-out questions)")
    if not found.general:
        lacks.append("perplexity on general text (there are no held-out ordinary conversations)")
    return lacks
