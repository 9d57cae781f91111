"""Does the answer repeat itself, or go on for too long?"""

import zlib
from collections import Counter
from collections.abc import Sequence

from trivium.sample import Sample
from trivium.scores.answer import degenerate
from trivium.scores.completion import Completion
from trivium.scores.words import plain, ramp, sentences, words

_LEAST_BYTES = 300
"""Shorter texts compress too unevenly to tell."""
_CHARACTERS = 12
"""A text is held to have a word for every so many characters at least, so that no script is endless."""


def repetition(completion: Completion, sample: Sample, *, ngram: int = 4, tolerance: float = 0.1) -> float | None:
    """A penalty from 0 to −1 for what is said again; None for an empty answer.

    The worst of three: the share of repeated runs of `ngram` words and of repeated sentences, each above `tolerance` and
    full at one half, and how much further than prose the text can be compressed. A word said over and over is −1.
    """
    answer = plain(completion.answer)
    spoken = words(answer)
    if not spoken:
        return None
    if degenerate(answer):
        return -1.0
    shares = repeated_share(ngrams(spoken, ngram)), repeated_share(sentences(answer.casefold()))
    worst = max(*(ramp(share, tolerance, max(0.5, tolerance + 0.01)) for share in shares), _squeezed(answer))
    return -worst if worst else 0.0


def length(completion: Completion, sample: Sample, *, most: int = 400) -> float | None:
    """A penalty for words beyond `most`, −1 at twice as many; None for an empty answer."""
    spoken = words(completion.answer)
    if not spoken:
        return None
    count = max(len(spoken), len(completion.answer) / _CHARACTERS)
    excess = ramp(count, most, 2 * most) if most > 0 else 1.0
    return -excess if excess else 0.0


def ngrams(spoken: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """All runs of `size` words.

    >>> ngrams(["a", "b", "c"], 2)
    [('a', 'b'), ('b', 'c')]
    """
    return list(zip(*(spoken[i:] for i in range(size)), strict=False))


def repeated_share(parts: Sequence[object]) -> float:
    """The share of parts that stand earlier already.

    >>> repeated_share(["a", "b", "a", "a"]), repeated_share([])
    (0.5, 0.0)
    """
    return 1 - len(Counter(parts)) / len(parts) if parts else 0.0


def _squeezed(text: str) -> float:
    """0 for what compresses as prose does (to a quarter of its bytes or more), 1 for what nearly vanishes."""
    data = text.encode()
    return ramp(1 - len(zlib.compress(data, 6)) / len(data), 0.8, 0.95) if len(data) > _LEAST_BYTES else 0.0
