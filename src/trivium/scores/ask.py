"""How a score asks a model: it yields what it wants to know, and is sent the answers.

A score is a function `(completion, sample, **options) -> float | None`. One that needs a model is a generator function with
the same parameters: it yields a list of questions, receives their answers in the same order, and returns the score. Whoever
drives many scores gathers all their questions first, so that a whole group is one batch, and a question asked twice is
answered once. Nothing here imports a model.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]


class Entail(NamedTuple):
    """Does the premise entail the hypothesis? Answered by an `Entailment`."""

    premise: str
    hypothesis: str


class Embed(NamedTuple):
    """Where does the text lie? Answered by a vector (D,) of length 1."""

    text: str


class Parse(NamedTuple):
    """How is the text built? Answered by a `Syntax`."""

    text: str


Question = Entail | Embed | Parse


class Entailment(NamedTuple):
    """Probabilities; they add up to 1."""

    entail: float
    neutral: float
    contradict: float

    @property
    def margin(self) -> float:
        """p(entail) − p(contradict), from −1 to 1."""
        return self.entail - self.contradict


class Token(NamedTuple):
    """A word: `head` is the index of its head in the whole text (its own for a root)."""

    text: str
    lemma: str
    pos: str
    dep: str
    head: int


@dataclass(frozen=True, slots=True)
class Syntax:
    """A parsed text; spans are (first token, past the last one)."""

    tokens: tuple[Token, ...]
    sentences: tuple[tuple[int, int], ...]
    noun_chunks: tuple[tuple[int, int], ...]
    entities: tuple[tuple[int, int, str], ...]


Asking = Generator[Sequence[Question], Any, float | None]
"""A score that asks. The answers to a yielded list come back as a list of the same length and order."""

Score = Callable[..., "float | Asking | None"]


def settle(asking: Asking, answer: Callable[[Question], Any]) -> float | None:
    """Run one asking score to its end, answering each question by itself: for tests and for trying things out."""
    try:
        questions = next(asking)
        while True:
            questions = asking.send([answer(question) for question in questions])
    except StopIteration as stop:
        value: float | None = stop.value
        return value
