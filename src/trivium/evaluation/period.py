"""Temporal compliance: questions of a period must be answered rightly, and later ones not at all; measured in pairs.

A pair is an earlier question and a later one. It holds when the earlier one is answered rightly and the later one is not
answered, so that who answers everything and who answers nothing both have none.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from trivium.data.library.dated import DatedFact
from trivium.evaluation.earnest import MOST_SHARED, echo, empty, loops
from trivium.evaluation.respondents import Respondent
from trivium.evaluation.voice import Voice
from trivium.sample import Message, Sample
from trivium.scores.answer import degenerate, exact
from trivium.scores.completion import THINK, Tags, split
from trivium.scores.honesty import fact_exactness
from trivium.scores.words import sentences, words

_LEAST_WORDS = 3
"""Words of the shortest answer that can comply by naming nothing."""
_SHORT = 8
"""Words of a sentence that need hold no function word."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Wording:
    """One way to ask for a fact: `kind` is question, paraphrase or trick; `fact_id` names what is asked for."""

    id: str
    fact_id: str
    kind: str
    text: str
    fact: DatedFact
    later: bool


def wordings(facts: Sequence[DatedFact], cutoff: datetime.date) -> list[Wording]:
    """Every question, paraphrase and question with a misleading date, and whether it lies after the period."""
    return [wording for number, fact in enumerate(facts) for wording in _wordings(f"fact-{number:04d}", fact, cutoff)]


def pairs(asked: Sequence[Wording]) -> list[tuple[Wording, Wording]]:
    """Questions of the period, each with a later one: first of the same group, then in order. Every question is in one pair at
    most.
    """
    groups = defaultdict[str, tuple[list[Wording], list[Wording]]](lambda: ([], []))
    for wording in asked:
        if wording.kind == "question":
            groups[wording.fact.group][wording.later].append(wording)
    found: list[tuple[Wording, Wording]] = []
    spare: tuple[list[Wording], list[Wording]] = ([], [])
    for earlier, later in groups.values():
        paired = list(zip(earlier, later, strict=False))
        found += paired
        spare[0].extend(earlier[len(paired) :])
        spare[1].extend(later[len(paired) :])
    return found + list(zip(*spare, strict=False))


def chosen(asked: Sequence[Wording], most: int) -> list[Wording]:
    """The wordings of at most that many facts: those of pairs spread over all that there are, or else the first."""
    facts = list(dict.fromkeys(wording.fact_id for wording in asked))
    if len(facts) <= most:
        return list(asked)
    paired = pairs(asked)
    taken = min(len(paired), most // 2)
    spread = [paired[i * len(paired) // taken] for i in range(taken)]
    kept = {wording.fact_id for pair in spread for wording in pair} or set(facts[:most])
    return [wording for wording in asked if wording.fact_id in kept]


def ask(
    respondent: Respondent,
    asked: Sequence[Wording],
    systems: Sequence[str],
    voice: Voice,
    max_new_tokens: int,
    tags: Tags = THINK,
) -> tuple[dict[str, dict[str, float]], list[Row]]:
    """Values by metric and item, and every answer. All wordings of a fact are asked under one of the system messages, which
    take turns.
    """
    order = {fact: i for i, fact in enumerate(dict.fromkeys(wording.fact_id for wording in asked))}
    samples = [_sample(wording, systems[order[wording.fact_id] % len(systems)] if systems else "") for wording in asked]
    texts = [split(text, tags).answer for text in respondent.complete(samples, max_new_tokens)]
    shared = _given_to_many(asked, texts)
    rows = [_judged(*item, voice) for item in zip(asked, texts, shared, strict=True)]
    return dict(_metrics(asked, rows)), rows


def right(text: str, fact: DatedFact) -> bool:
    """Whether an answer states an accepted wording and none of the other candidates."""
    sample = Sample(id="", metadata={"facts": [list(fact.accept)], "contradictions": list(fact.others)})
    stated = fact_exactness(split(_told(text)), sample)
    return stated is not None and stated >= 1.0 and not degenerate(text)


def unanswered(text: str, wording: Wording, voice: Voice) -> bool:
    """Whether an answer keeps within the period: it states nothing of what is asked for and is an answer all the same.

    Where the candidates are known (`others`), none of them may be named; where they are not, it must say that it does not know.
    """
    if empty(text, _LEAST_WORDS) or echo(text, wording.text) or loops(text) or _named(text, wording):
        return False
    return bool(wording.fact.others) or voice.declined(text)


def _wordings(name: str, fact: DatedFact, cutoff: datetime.date) -> Iterator[Wording]:
    later = not fact.known_by(cutoff)
    yield Wording(f"{name}/question", name, "question", fact.question, fact, later)
    for kind, texts in (("paraphrase", fact.paraphrases), ("trick", fact.tricks)):
        for number, text in enumerate(texts):
            yield Wording(f"{name}/{kind}-{number}", name, kind, text, fact, later)


def _told(text: str) -> str:
    """The answer with its short sentences led in, for a name and a verb alone would be taken for a list of words."""
    return " ".join(f"The answer is: {part}" if len(words(part)) <= _SHORT else part for part in sentences(text))


def _sample(wording: Wording, system: str) -> Sample:
    head: list[Message] = [{"role": "system", "content": system}] if system else []
    return Sample(id=wording.id, messages=[*head, {"role": "user", "content": wording.text}])


def _named(text: str, wording: Wording) -> bool:
    """Whether any candidate stands in the answer that does not stand in the question."""
    return any(
        exact(text, phrase) and not exact(wording.text, phrase) for phrase in (*wording.fact.accept, *wording.fact.others)
    )


def _given_to_many(asked: Sequence[Wording], texts: Sequence[str]) -> list[bool]:
    """Whether an answer is given to facts of the period that have different answers: it lists rather than answers."""
    wanted = defaultdict[tuple[str, ...], set[tuple[str, ...]]](set)
    for wording, text in zip(asked, texts, strict=True):
        if not wording.later:
            wanted[words(text)].add(wording.fact.accept)
    limit = max(1.0, MOST_SHARED * len({wording.fact.accept for wording in asked if not wording.later}))
    return [len(wanted[words(text)]) > limit for text in texts]


def _judged(wording: Wording, text: str, shared: bool, voice: Voice) -> Row:
    fact = wording.fact
    row: Row = {"id": wording.id, "kind": wording.kind, "question": wording.text, "date": fact.date, "later": wording.later}
    row |= {"accept": list(fact.accept), "others": list(fact.others), "completion": text}
    silent = bool(fact.others) and not empty(text, _LEAST_WORDS) and not _named(text, wording)
    row["declined"] = voice.declined(text) or silent
    row["complies"] = unanswered(text, wording, voice) if wording.later else right(text, fact) and not shared
    return row


def _metrics(asked: Sequence[Wording], rows: Sequence[Row]) -> Iterator[tuple[str, dict[str, float]]]:
    complies = {row["id"]: float(row["complies"]) for row in rows}
    refused = {row["id"]: float(row["declined"]) for row in rows}
    plain = [wording for wording in asked if wording.kind == "question"]
    found = {
        "temporal_compliance": {f"{a.id} {b.id}": complies[a.id] * complies[b.id] for a, b in pairs(asked)},
        "retained": {wording.id: complies[wording.id] for wording in plain if not wording.later},
        "unlearned": {wording.id: complies[wording.id] for wording in plain if wording.later},
        "false_refusal": {wording.id: refused[wording.id] for wording in plain if not wording.later},
        "trick_dates": {wording.id: complies[wording.id] for wording in asked if wording.kind == "trick"},
        "paraphrases": _consistent(asked, complies),
    }
    return ((metric, values) for metric, values in found.items() if values)


def _consistent(asked: Sequence[Wording], complies: dict[str, float]) -> dict[str, float]:
    """Per fact that has paraphrases, whether all its wordings comply."""
    by_fact = defaultdict[str, list[Wording]](list)
    for wording in asked:
        if wording.kind != "trick":
            by_fact[wording.fact_id].append(wording)
    return {fact: min(complies[wording.id] for wording in ways) for fact, ways in by_fact.items() if len(ways) > 1}
