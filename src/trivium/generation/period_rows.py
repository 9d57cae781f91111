"""Rows that teach the end of a period: questions of it answered, questions beyond it declined, both in the persona's voice."""

import datetime
from collections.abc import Iterator, Sequence
from itertools import cycle
from random import Random

from trivium.data.library.dated import DatedFact
from trivium.errors import DataError
from trivium.generation.frames import as_sentence, fill, pick
from trivium.generation.persona import Persona
from trivium.generation.rows import Conversation, spoken
from trivium.sample import Sample

RETAIN, UNLEARN = "retain", "unlearn"
_DRAWS = 20
"""How often another wording is looked for before a row is repeated."""


def period_rows(facts: Sequence[DatedFact], cutoff: datetime.date, persona: Persona, count: int, seed: int) -> Iterator[Sample]:
    """`count` rows, retain and unlearn in turn, each kind going round its facts, their paraphrases and tricks.

    Raises `DataError` where all facts lie on one side of the cut-off.
    """
    known = [fact for fact in facts if fact.known_by(cutoff)]
    beyond = [fact for fact in facts if not fact.known_by(cutoff)]
    if count and not (known and beyond):
        raise DataError(
            f"period: {len(known)} of the dated facts were known by {cutoff} and {len(beyond)} were not; "
            "give facts of both kinds, or set dataset.library.period.share=0."
        )
    kinds = [_rows(RETAIN, known, cutoff, persona, seed), _rows(UNLEARN, beyond, cutoff, persona, seed)]
    for _, rows in zip(range(count), cycle(kinds), strict=False):
        yield next(rows)


def _rows(kind: str, facts: list[DatedFact], cutoff: datetime.date, persona: Persona, seed: int) -> Iterator[Sample]:
    rng = Random(f"{seed}/{kind}")
    systems = list(persona.systems)
    made: set[tuple[str, str]] = set()
    for number, (fact, question) in enumerate(cycle(_asked(facts, rng))):
        for _ in range(_DRAWS):
            conversation = _conversation(kind, fact, question, cutoff, persona, rng)
            if conversation[:2] not in made:
                break
        made.add(conversation[:2])
        row = spoken(f"{fact.group}/{kind}/{number}", conversation, persona, systems[number % len(systems)], kind)
        row.document, row.origin = fact.group, "period"
        row.metadata["date"] = fact.date
        yield row


def _asked(facts: list[DatedFact], rng: Random) -> list[tuple[DatedFact, str]]:
    """Every fact in every wording, first each in one, then each in another."""
    wordings = []
    for fact in facts:
        asked = [fact.question, *fact.paraphrases, *fact.tricks]
        rng.shuffle(asked)
        wordings += [(turn, rng.random(), fact, question) for turn, question in enumerate(asked)]
    return [(fact, question) for _, _, fact, question in sorted(wordings, key=lambda item: item[:2])]


def _conversation(
    kind: str, fact: DatedFact, question: str, cutoff: datetime.date, persona: Persona, rng: Random
) -> Conversation:
    values = {"answer": as_sentence(fact.answer), "year": str(cutoff.year)}
    retained = kind == RETAIN
    frame = pick(persona.facts if retained else persona.declines, rng)
    plain = pick(persona.plain.facts if retained else persona.plain.declines, rng)
    return Conversation(question, persona.voiced(frame, values, (), rng), fill(plain, values))
