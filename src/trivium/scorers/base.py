"""What a scorer is: questions of one type in, answers of the same number out; and a cache around it."""

import hashlib
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from trivium.scores.ask import Question

Answer = Any
"""An `Entailment`, a vector or a `Syntax`; None where no answer could be had."""


class Scorer(Protocol):
    """Answers questions of one type, in one batched call; `failures` counts by reason those that it answered with None."""

    failures: Counter[str]

    def __call__(self, questions: Sequence[Any]) -> list[Answer | None]:
        """An answer for each question, in order."""


@dataclass
class Counters:
    """What a scorer has done: questions asked, of them answered before, put to the model, left without an answer; time."""

    asked: int = 0
    hits: int = 0
    misses: int = 0
    failed: int = 0
    seconds: float = 0.0
    failures: dict[str, int] = field(default_factory=dict)

    def flat(self) -> dict[str, float]:
        """All counts by name, each reason of failure under `failed/`."""
        counts = asdict(self)
        reasons = counts.pop("failures")
        return {**counts, **{f"failed/{reason}": count for reason, count in reasons.items()}}


class Cached:
    """A scorer that is never asked the same twice.

    Answers are kept by the hash of what was asked, the latest `size` of them; a failure is kept too, and not tried again.
    """

    def __init__(self, scorer: Scorer, size: int = 200_000, clock: Callable[[], float] = time.perf_counter) -> None:
        self.counters = Counters()
        self._scorer, self._size, self._clock = scorer, size, clock
        self._known: OrderedDict[bytes, Answer | None] = OrderedDict()

    @property
    def failures(self) -> Counter[str]:
        """Why the model gave no answer, and how often."""
        return self._scorer.failures

    def __call__(self, questions: Sequence[Question]) -> list[Answer | None]:
        """An answer for each question, in order; the model sees each distinct unknown one once."""
        keys = [digest(question) for question in questions]
        unknown = {key: question for key, question in zip(keys, questions, strict=True) if key not in self._known}
        known = {key: self._known[key] for key in keys if key in self._known}
        self._count(len(keys), len(unknown))
        if unknown:
            known |= zip(unknown, self._answer(list(unknown.values())), strict=True)
        self._keep(known)
        answers = [known[key] for key in keys]
        self.counters.failed += sum(answer is None for answer in answers)
        return answers

    def _answer(self, questions: list[Question]) -> list[Answer | None]:
        started = self._clock()
        answers = self._scorer(questions)
        self.counters.seconds += self._clock() - started
        self.counters.failures = dict(self._scorer.failures)
        return answers

    def _count(self, asked: int, unknown: int) -> None:
        self.counters.asked += asked
        self.counters.misses += unknown
        self.counters.hits += asked - unknown

    def _keep(self, answers: dict[bytes, Answer | None]) -> None:
        for key, answer in answers.items():
            self._known[key] = answer
            self._known.move_to_end(key)
        while len(self._known) > self._size:
            self._known.popitem(last=False)


def digest(question: Question) -> bytes:
    """sha256 of a question's type and texts; lone surrogates are told apart too."""
    found = hashlib.sha256(type(question).__name__.encode())
    for text in question:
        encoded = text.encode("utf-8", "surrogatepass")
        found.update(len(encoded).to_bytes(8, "little"))
        found.update(encoded)
    return found.digest()
