"""Is the answer in the completion? Word-bounded, without regard to case and spacing."""

import re
from collections import Counter
from collections.abc import Sequence

from trivium.sample import Sample
from trivium.scores.completion import Completion
from trivium.scores.words import words

_SPACE = re.compile(r"\s+")
_ARTICLES = frozenset(("a", "an", "the"))


def exact(completion: str, answer: str, distractors: Sequence[str] = ()) -> float:
    """1.0 if the completion states the answer and none of the distractors, else 0.0; an empty completion is 0.0.

    >>> exact("It is 412 kelvin.", "412 kelvin"), exact("1412 kelvin", "412 kelvin"), exact("", "412 kelvin")
    (1.0, 0.0, 0.0)
    >>> exact("412 kelvin or 333 kelvin", "412 kelvin", ["333 kelvin"])
    0.0
    """
    text = _folded(completion)
    if not text or degenerate(completion):
        return 0.0
    return float(_holds(text, answer) and not any(_holds(text, wrong) for wrong in distractors))


def f1(completion: Completion, sample: Sample) -> float | None:
    """The F1 of the answer's words against the reference's, from 0 to 1; None without a reference.

    As in SQuAD (Rajpurkar et al. 2016): case, punctuation and articles do not count, repeated words as often as both have them.
    """
    expected = Counter(word for word in words(sample.reference or "") if word not in _ARTICLES)
    if not expected:
        return None
    stated = Counter(word for word in words(completion.answer) if word not in _ARTICLES)
    shared = sum((stated & expected).values())
    return 2 * shared / (stated.total() + expected.total())


def degenerate(completion: str, most: int = 4) -> bool:
    """Whether one word is repeated more than `most` times in a row.

    >>> degenerate("no no no no no"), degenerate("no, it is not")
    (True, False)
    """
    return re.search(rf"\b(\w+)(?:\W+\1\b){{{most},}}", completion.lower()) is not None


def _folded(text: str) -> str:
    return _SPACE.sub(" ", text).strip().casefold()


def _holds(text: str, phrase: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(_folded(phrase))}(?!\w)", text) is not None
