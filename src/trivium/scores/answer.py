"""Is the answer in the completion? Word-bounded, without regard to case and spacing."""

import re
from collections.abc import Sequence

_SPACE = re.compile(r"\s+")


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
