"""How far the words of an answer stand in its reference, with what is denied kept apart from what is asserted."""

import re

from trivium.scores.lexicon import Lexicon
from trivium.scores.words import stem, words

_CLAUSE = re.compile(r"[.!?;:,()\[\]\"“”\n。！？]+|\b(?:but|because|so|therefore)\b", re.IGNORECASE)

Polar = frozenset[tuple[str, bool]]
"""Stems of content words, each with whether it is denied."""


def polar(text: str, lexicon: Lexicon) -> Polar:
    """The content words of a text, and whether a negation stands before them in their clause."""
    idle = lexicon.words("function_words") | lexicon.words("generic")
    negations = lexicon.words("negations")
    found: set[tuple[str, bool]] = set()
    for clause in _CLAUSE.split(text.replace("’", "'")):
        denied = False
        for word in words(clause):
            if word in negations or word.endswith("n't"):
                denied = not denied
            elif word not in idle:
                found.add((stem(word), denied))
    return frozenset(found)


def recall(answer: str, reference: str, lexicon: Lexicon, asked: str = "") -> float | None:
    """The share of the reference's content words that the answer says with the same polarity, from 0 to 1.

    Words that the question `asked` holds already count only where the reference has no others. A word of the reference that
    the answer says with the opposite polarity only counts as −1. None where the reference has no content words.
    """
    expected, given = polar(reference, lexicon), polar(answer, lexicon)
    known = {word for word, _ in polar(asked, lexicon)}
    fresh = {item for item in expected if item[0] not in known} or expected
    if not fresh:
        return None
    clashing = {(word, denied) for word, denied in expected - given if (word, not denied) in given - expected}
    return max(0.0, (len(fresh & given) - len(clashing)) / len(fresh))
