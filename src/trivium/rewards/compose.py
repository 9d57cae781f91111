"""Many scores on many completions as one batch: models are asked once for all of them, layers are climbed in order."""

import logging
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trivium.errors import TriviumError
from trivium.rewards.terms import Term
from trivium.sample import Sample
from trivium.scores.ask import Asking, Question
from trivium.scores.completion import Completion

logger = logging.getLogger(__name__)

Floats = npt.NDArray[np.float64]
Answerer = Callable[[Sequence[Question]], list[Any]]
"""Answers questions in their order; None for one that could not be answered."""

BLOCKED = -1.0
"""What a term is worth to a completion that did not pass an earlier layer: the least that any score gives."""

RAISED = (ArithmeticError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, MemoryError)
"""What a score may raise on odd input; the completion then has no value for it, and that is counted."""


@dataclass
class Table:
    """Scores of N completions by K terms: `raw` (N, K) as the functions gave them, NaN for None; `values` after the layers.

    `failures` counts, by term, values that are missing because a scorer failed or a function raised.
    """

    names: list[str]
    raw: Floats
    values: Floats
    weights: Floats
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> Floats:
        """The weighted sum (N,); missing values count nothing, and a completion without any has none."""
        total = np.nansum(self.values * self.weights, axis=1)
        total[np.isnan(self.values).all(axis=1)] = np.nan
        return np.asarray(total, np.float64)

    def column(self, name: str) -> list[float | None]:
        """One term's values, None where missing."""
        return [None if value != value else float(value) for value in self.values[:, self.names.index(name)]]


class _Job(NamedTuple):
    """One score of one completion on its way: its place in the table, and its generator."""

    row: int
    column: int
    asking: Asking


class Composition:
    """A reward set with the models it asks."""

    def __init__(self, terms: Sequence[Term], answer: Answerer) -> None:
        self.terms, self.answer = list(terms), answer
        self._told: set[str] = set()

    def score(self, completions: Sequence[Completion], samples: Sequence[Sample]) -> Table:
        """Scores of completions, each of the sample beside it; a repeated one is scored once."""
        places: dict[tuple[str, int], int] = {}
        index = [places.setdefault((c.text, id(s)), len(places)) for c, s in zip(completions, samples, strict=True)]
        firsts = [index.index(place) for place in range(len(places))]
        failures: Counter[str] = Counter()
        raw = self._raw([completions[i] for i in firsts], [samples[i] for i in firsts], failures)[index]
        weights = np.array([term.weight for term in self.terms])
        return Table([term.name for term in self.terms], raw, climbed(raw, self.terms), weights, failures)

    def _raw(self, completions: list[Completion], samples: list[Sample], failures: Counter[str]) -> Floats:
        """Values (N, K): all scores advance together, and what they ask in one round is one batch."""
        found = np.full((len(completions), len(self.terms)), np.nan)
        jobs = [
            (_Job(row, column, _run(term, completion, sample)), None)
            for row, (completion, sample) in enumerate(zip(completions, samples, strict=True))
            for column, term in enumerate(self.terms)
        ]
        replies: Iterable[tuple[_Job, list[Any] | None]] = jobs
        while asked := [(job, q) for job, reply in replies if (q := self._advance(job, reply, found, failures)) is not None]:
            replies = self._answered(asked, failures)
        return found

    def _advance(self, job: _Job, reply: list[Any] | None, found: Floats, failures: Counter[str]) -> Sequence[Question] | None:
        """Let a score go on: what it asks next, or None when it has ended, its value in the table.

        An option that names a missing file, and the like, is no odd input: the error passes through.
        """
        name = self.terms[job.column].name
        try:
            return job.asking.send(reply)
        except StopIteration as stop:
            value = stop.value
        except TriviumError:
            raise
        except RAISED as error:
            failures[name] += 1
            self._tell(name, error)
            return None
        if value is not None and np.isfinite(value):
            found[job.row, job.column] = value
        elif value is not None:
            failures[name] += 1
        return None

    def _answered(
        self, asked: list[tuple[_Job, Sequence[Question]]], failures: Counter[str]
    ) -> Iterator[tuple[_Job, list[Any] | None]]:
        """The jobs with the answers to their questions; one that lacks an answer ends without a value."""
        answers = iter(self.answer([question for _, questions in asked for question in questions]))
        for job, questions in asked:
            reply = [next(answers) for _ in questions]
            if any(answer is None for answer in reply):
                failures[self.terms[job.column].name] += 1
                job.asking.close()
            else:
                yield job, reply

    def _tell(self, name: str, error: Exception) -> None:
        if name not in self._told:
            self._told.add(name)
            logger.warning(
                "the reward %s raised %s: %s; such a completion has no value for it", name, type(error).__name__, error
            )


def climbed(raw: Floats, terms: Sequence[Term]) -> Floats:
    """Values (N, K) after the layers: once a completion misses a threshold, all terms of later layers are worth `BLOCKED`.

    So the order among completions follows the layers: what fails early never outdoes what fails late. A missing value blocks
    nothing, and stays missing where it is.
    """
    layers = np.array([term.layer for term in terms])
    missed = np.array([-np.inf if term.passes is None else term.passes for term in terms])
    failed_at = np.where(raw < missed, layers, np.iinfo(np.int64).max).min(axis=1, initial=np.iinfo(np.int64).max)
    blocked = (layers > failed_at[:, None]) & ~np.isnan(raw)
    return np.where(blocked, BLOCKED, raw)


def _run(term: Term, completion: Completion, sample: Sample) -> Asking:
    """One score as a generator, whether it asks anything or not."""
    value: Any = term.fn(completion, sample, **term.args)
    if isinstance(value, Generator):
        value = yield from value
    return value  # type: ignore[no-any-return]
