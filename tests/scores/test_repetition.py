"""Repetition, length and terms."""

from collections.abc import Callable

import pytest

from trivium.scores.repetition import length, repetition
from trivium.scores.vocabulary import terminology

Scorer = Callable[..., float | None]
PROSE = (
    "Copper carries heat because its electrons move freely through the metal. Wax blocks it, for its atoms hold them tightly."
)


def test_what_is_said_once_is_not_penalised(score: Scorer) -> None:
    assert score(repetition, PROSE) == 0.0
    assert score(repetition, "Copper.") == 0.0
    assert score(repetition, "") is None


@pytest.mark.parametrize(
    "loop", [f"{PROSE} " * 3, "no no no no no no", "ab" * 5000, "金属可以导热。" * 20, "one two three four " * 40]
)
def test_loops_are_penalised(loop: str, score: Scorer) -> None:
    assert score(repetition, loop) < -0.8


def test_more_repetition_is_worse(score: Scorer) -> None:
    sentences = [f"Sample {i} of the metal was held above flame {i + 40}." for i in range(10)]
    found = [score(repetition, " ".join(sentences[: 10 - same] + sentences[:same])) for same in (0, 2, 4, 5)]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1]


def test_length_is_penalised_beyond_the_most(score: Scorer) -> None:
    found = [score(length, "word " * count, most=100) for count in (10, 100, 150, 200, 1000)]
    assert found == [0.0, 0.0, -0.5, -1.0, -1.0]
    assert score(length, "a" * 100_000) == -1.0
    assert score(length, "金属" * 1000) == -1.0
    assert score(length, " ") is None


def test_terms_are_counted_once_and_whole(score: Scorer) -> None:
    assert score(terminology, "A metal always carries heat. A Metal carries heat.") == pytest.approx(0.4)
    assert score(terminology, "Nonmetals and waxen things.") == 0.0
    assert score(terminology, "metal wax salt resin clay glass") == 1.0, "a list earns everything: it is known to be gameable"
    assert score(terminology, "<think>metal</think>It is.") == 0.0
    assert score(terminology, "") == 0.0
