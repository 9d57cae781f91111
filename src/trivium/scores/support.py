"""How far the words of an answer stand in its reference, with what is denied kept apart from what is asserted."""

import re
from itertools import pairwise

from trivium.scores.lexicon import Lexicon
from trivium.scores.words import plain, stem, words

_CLAUSE = re.compile(r"[.!?;:,()\[\]\"“”\n。！？]+|\b(?:but|because|so|therefore)\b", re.IGNORECASE)
_NEAR = 2
"""Content words within which two of them count as said together."""

Polar = tuple[str, bool]
"""The stem of a content word, and whether it is denied."""


def polar(text: str, lexicon: Lexicon) -> list[Polar]:
    """The content words of a text in order, each with whether a negation stands before it in its clause."""
    idle = lexicon.idle
    negations = lexicon.words("negations")
    found: list[Polar] = []
    for clause in _CLAUSE.split(plain(text)):
        denied = False
        for word in words(clause):
            if word in negations or word.endswith("n't"):
                denied = not denied
            elif word not in idle:
                found.append((stem(word), denied))
    return found


def recall(answer: str, reference: str, lexicon: Lexicon, asked: str = "") -> float | None:
    """The share of the reference's content words that the answer says, from 0 to 1; None where the reference has none.

    Words that the question `asked` holds already count only where the reference has no others. A word said with the opposite
    polarity only counts as −1. Half of it is the share of neighbouring words that are near each other in the answer as well, so
    that the words alone, in any order, are worth half.
    """
    expected, given = polar(reference, lexicon), polar(answer, lexicon)
    known = {word for word, _ in polar(asked, lexicon)}
    fresh = {item for item in expected if item[0] not in known} or set(expected)
    if not fresh:
        return None
    clashing = {(word, denied) for word, denied in expected if (word, not denied) in given and (word, denied) not in given}
    said = max(0.0, (len(fresh & set(given)) - len(clashing)) / len(fresh))
    couples = {frozenset(pair) for pair in pairwise(expected) if fresh & set(pair)}
    if not couples:
        return said
    near = {frozenset((given[i], other)) for i in range(len(given)) for other in given[i + 1 : i + 1 + _NEAR]}
    return said * (1 + len(couples & near) / len(couples)) / 2


def overlap(answer: set[str], other: set[str]) -> float:
    """The share of content words that two texts share, of the shorter one.

    >>> overlap({"a", "b"}, {"b", "c", "d"}), overlap(set(), {"b"})
    (0.5, 0.0)
    """
    return len(answer & other) / max(1, min(len(answer), len(other)))
