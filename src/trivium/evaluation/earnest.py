"""Is an answer one at all? The guards that stand before every score of a persona's answers."""

from collections import defaultdict
from collections.abc import Sequence

from trivium.sample import Sample
from trivium.scores.completion import split
from trivium.scores.repetition import ngrams, repetition
from trivium.scores.words import words

MOST_SHARED = 0.05
"""The share of the questions that one answer may be given to; one question always."""

_ECHOED, _RUN = 0.75, 3
"""An echo holds this share of the question's runs of so many words."""
_LOOPS = -0.5
"""The value of the repetition score from which on a text goes in circles."""


def earnest(questions: Sequence[str], answers: Sequence[str]) -> list[bool]:
    """Whether each answer is an answer of its own: some words, no echo of its question, no loop, not one for all questions."""
    pooled = given_to_many(questions, answers)
    return [
        not (empty(answer) or echo(answer, question) or loops(answer) or shared)
        for question, answer, shared in zip(questions, answers, pooled, strict=True)
    ]


def empty(answer: str, least: int = 1) -> bool:
    """Whether an answer has fewer than `least` words."""
    return len(words(answer)) < least


def echo(answer: str, question: str) -> bool:
    """Whether an answer holds most of the question, word for word.

    >>> echo("Aye, when does the tide turn at Teloth, friend?", "When does the tide turn at Teloth?")
    True
    >>> echo("The tide turns at noon.", "When does the tide turn at Teloth?")
    False
    """
    asked, said = words(question), words(answer)
    size = min(_RUN, len(asked))
    runs, held = ngrams(asked, size), set(ngrams(said, size))
    return bool(runs) and sum(run in held for run in runs) >= _ECHOED * len(runs)


def loops(answer: str) -> bool:
    """Whether an answer goes in circles.

    >>> loops("the sea and the sea and the sea and the sea"), loops("The sea is high, and the wind is low.")
    (True, False)
    """
    value = repetition(split(answer), Sample(id=""))
    return value is not None and value <= _LOOPS


def given_to_many(questions: Sequence[str], answers: Sequence[str], most: float = MOST_SHARED) -> list[bool]:
    """Whether each answer, but for case and punctuation, is given to more than `most` of the different questions (and not
    only to one).

    >>> given_to_many(["a", "b", "b"], ["Aye!", "aye", "no"])
    [True, True, False]
    """
    askers = defaultdict[tuple[str, ...], set[str]](set)
    for question, answer in zip(questions, answers, strict=True):
        askers[words(answer)].add(question)
    limit = max(1.0, most * len(set(questions)))
    return [len(askers[words(answer)]) > limit for answer in answers]
