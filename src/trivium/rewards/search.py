"""A small search for the best-paid nonsense: texts are changed at random, and a change that pays more is kept."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from trivium.rewards.attacks import content_words
from trivium.rewards.compose import Composition
from trivium.rewards.paraphrase import given
from trivium.sample import Sample
from trivium.scores.completion import Tags, split
from trivium.scores.names import holds
from trivium.scores.words import words

_RUN = 4
"""Words in a row that nonsense must not share with a reference of twice as many or more."""
_STARTS, _FINALISTS, _BATCH = 5, 2, 20
"""Texts that are climbed from, how many of them in the second half, and changes that are tried at once."""
_LONGEST = 300
"""Words of a text, beyond which it does not grow."""
_TRIES = 12
"""Changes that are drawn for one that keeps the certificate."""
_LINKING = (
    "because", "therefore", "which", "means", "that", "and", "the", "of", "is", "a", "not",
    "so", "since", "if", "it", "does", "always", "every", "no", "yes", "by", "as",
)  # fmt: skip


class Certificate:
    """Tells for sure that a text is no answer to a question.

    It shares no run of 4 words with the reference or a given paraphrase of it (where one has fewer than 8 words: no run of half
    of them), and states none of `sample.metadata["facts"]` whole.
    """

    def __init__(self, sample: Sample) -> None:
        told = [words(text) for text in (sample.reference or "", *given(sample))]
        least = min((len(text) for text in told if text), default=0)
        self._size = min(_RUN, max(1, least // 2))
        self._runs = {run for text in told for run in _runs(text, self._size)}
        facts = sample.metadata.get("facts")
        listed = facts if isinstance(facts, list | tuple) else [facts] if facts else []
        self._facts = [str(fact) for item in listed for fact in (item if isinstance(item, list | tuple) else [item])]

    def holds(self, answer: str) -> bool:
        """Whether the text is nonsense as an answer."""
        if any(words(fact) and holds(answer, fact) for fact in self._facts):
            return False
        return self._runs.isdisjoint(_runs(words(answer), self._size))


class Start(NamedTuple):
    """A text to climb from, and the sample that it does not answer."""

    sample: Sample
    text: str


@dataclass(frozen=True)
class Nonsense:
    """A certified text with what it is paid: `total`, and `values` by term, None where missing."""

    sample: Sample
    text: str
    total: float
    values: dict[str, float | None]


def search(composition: Composition, starts: Sequence[Start], mutations: int, seed: int, tags: Tags) -> Nonsense | None:
    """The best-paid nonsense that so many scored changes lead to; None without a start that is certified and scored.

    The starts are those that are paid best, of distinct samples as far as possible, and the second half of the changes goes to
    the best of them. Each round is one call of the composition.
    """
    rng = random.Random(f"search {seed}")
    held = {id(start.sample): Certificate(start.sample) for start in starts}
    climbers = _climbers(composition, starts, held, tags)
    pool = [start.text for start in starts]
    left = mutations
    while climbers and left > 0:
        if left <= mutations // 2:
            climbers = sorted(climbers, key=lambda climber: -climber.total)[:_FINALISTS]
        drawn = [
            (place, _mutant(climbers[place], held[id(climbers[place].sample)], pool, rng, tags))
            for place in (i % len(climbers) for i in range(_BATCH))
        ]
        tried = [(place, text) for place, text in drawn if text is not None][:left]
        if not tried:
            break
        left -= len(tried)
        scored = _scored(composition, [Start(climbers[place].sample, text) for place, text in tried], tags)
        for (place, _), found in zip(tried, scored, strict=True):
            if found is not None and found.total > climbers[place].total:
                climbers[place] = found
    return max(climbers, key=lambda climber: climber.total, default=None)


def _climbers(composition: Composition, starts: Sequence[Start], held: dict[int, Certificate], tags: Tags) -> list[Nonsense]:
    """The best-paid certified starts, one for each of several samples where there are as many."""
    certified = [start for start in starts if held[id(start.sample)].holds(split(start.text, tags).answer)]
    found = [found for found in _scored(composition, certified, tags) if found is not None]
    found.sort(key=lambda nonsense: -nonsense.total)
    firsts: dict[int, Nonsense] = {}
    for nonsense in found:
        firsts.setdefault(id(nonsense.sample), nonsense)
    others = [nonsense for nonsense in found if firsts[id(nonsense.sample)] is not nonsense]
    return [*firsts.values(), *others][:_STARTS]


def _scored(composition: Composition, texts: Sequence[Start], tags: Tags) -> list[Nonsense | None]:
    """What texts are paid, None for one without any value."""
    if not texts:
        return []
    table = composition.score([split(text, tags) for _, text in texts], [sample for sample, _ in texts])
    columns = [table.column(name) for name in table.names]
    return [
        None if np.isnan(total) else Nonsense(sample, text, float(total), dict(zip(table.names, values, strict=True)))
        for (sample, text), total, values in zip(texts, table.total, zip(*columns, strict=True), strict=True)
    ]


# --- changes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Draft:
    """A text on its way: what stands before the answer, the words of the answer, and what may be put in."""

    head: str
    spoken: list[str]
    vocabulary: list[str]
    other: list[str]
    thought: str
    tags: Tags


def _mutant(climber: Nonsense, certificate: Certificate, pool: Sequence[str], rng: random.Random, tags: Tags) -> str | None:
    """A changed text that is still certified; None if no such was drawn."""
    before, closed, _ = climber.text.partition(tags.close)
    draft = _Draft(
        before + closed if closed else "",
        split(climber.text, tags).answer.split(),
        [*_LINKING, *content_words(f"{climber.sample.question} {climber.sample.reference or ''}")],
        split(rng.choice(pool), tags).answer.split()[:_LONGEST],
        climber.sample.thinking or climber.sample.question,
        tags,
    )
    for _ in range(_TRIES):
        changed = draft
        for change in rng.choices(_CHANGES, k=rng.randint(1, 2)):
            changed = change(changed, rng)
        text = changed.head + " ".join(changed.spoken[:_LONGEST])
        if text != climber.text and certificate.holds(split(text, tags).answer):
            return text
    return None


def _swap(draft: _Draft, rng: random.Random) -> _Draft:
    spoken = list(draft.spoken)
    if len(spoken) > 1:
        i, j = rng.sample(range(len(spoken)), 2)
        spoken[i], spoken[j] = spoken[j], spoken[i]
    return replace(draft, spoken=spoken)


def _drop(draft: _Draft, rng: random.Random) -> _Draft:
    start, end = _span(draft.spoken, rng)
    return replace(draft, spoken=[*draft.spoken[:start], *draft.spoken[end:]])


def _repeat(draft: _Draft, rng: random.Random) -> _Draft:
    start, end = _span(draft.spoken, rng)
    return replace(draft, spoken=[*draft.spoken[:end], *draft.spoken[start:]])


def _insert(draft: _Draft, rng: random.Random) -> _Draft:
    place = rng.randint(0, len(draft.spoken))
    drawn = rng.choices(draft.vocabulary, k=rng.randint(1, 6))
    return replace(draft, spoken=[*draft.spoken[:place], *drawn, *draft.spoken[place:]])


def _sentence(draft: _Draft, rng: random.Random) -> _Draft:
    """A full stop, and a capital after it."""
    spoken = list(draft.spoken)
    if spoken:
        place = rng.randrange(len(spoken))
        spoken[place] = f"{spoken[place].rstrip('.,;')}."
        spoken[place + 1 : place + 2] = [word.capitalize() for word in spoken[place + 1 : place + 2]]
    return replace(draft, spoken=spoken)


def _splice(draft: _Draft, rng: random.Random) -> _Draft:
    """The beginning of the text with a part of another one after it."""
    start, end = _span(draft.other, rng, most=40)
    keep = rng.randint(0, len(draft.spoken))
    return replace(draft, spoken=[*draft.spoken[:keep], *draft.other[start:end]])


def _retag(draft: _Draft, rng: random.Random) -> _Draft:
    opened, closed = draft.tags
    return replace(draft, head=rng.choice(["", closed, f"{opened}{closed}", f"{opened}{draft.thought}{closed}"]))


_CHANGES: tuple[Callable[[_Draft, random.Random], _Draft], ...] = (
    _swap,
    _drop,
    _repeat,
    _insert,
    _insert,
    _sentence,
    _splice,
    _retag,
)


def _span(spoken: Sequence[str], rng: random.Random, most: int = 12) -> tuple[int, int]:
    if not spoken:
        return 0, 0
    start = rng.randrange(len(spoken))
    return start, min(len(spoken), start + rng.randint(1, most))


def _runs(spoken: Sequence[str], size: int) -> set[tuple[str, ...]]:
    return {tuple(spoken[i : i + size]) for i in range(len(spoken) - size + 1)}
