"""Is a text English? By the share of its words that are English function words."""

import re
from functools import cache

from trivium.scores import lexicon

LEAST = 0.1
"""English prose has 0.2 to 0.45; other languages, which share few of these words, stay below 0.05."""

_SHARED = frozenset(
    (
        "a",
        "an",
        "i",
        "me",
        "my",
        "in",
        "is",
        "was",
        "had",
        "of",
        "over",
        "on",
        "or",
        "as",
        "so",
        "at",
        "we",
        "he",
        "her",
        "do",
        "to",
    )
) | frozenset(("per", "one", "no", "more", "all", "am", "by", "will", "here", "own"))
"""Words of other languages, too."""

FEW = 20
"""A text of fewer words says nothing of its language."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_CODES = frozenset(("en", "eng", "english"))


def looks_english(text: str) -> bool:
    """Whether a text is English, or too short to tell.

    >>> looks_english("Il y avait une fois un roi qui avait trois filles. " * 5)
    False
    >>> looks_english("There was once a king, and he had three daughters. " * 5)
    True
    """
    words = _WORD.findall(text.lower().replace("’", "'"))
    return len(words) < FEW or sum(word in _function_words() for word in words) >= LEAST * len(words)


def says_english(language: str) -> bool:
    """Whether a statement of one or more languages names English.

    >>> [says_english(said) for said in ("en", "en-GB", "English", "eng; lat", "fr", "Old French")]
    [True, True, True, True, False, False]
    """
    return any(name in _CODES for name in _WORD.findall(language.lower()))


@cache
def _function_words() -> frozenset[str]:
    return lexicon.load("general").words("function_words") - _SHARED
