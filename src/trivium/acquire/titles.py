"""Whether a record is the work that was asked for: titles and authors, told apart from those that only share a word."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher

OVERLAP = 0.8
"""Share of the words of each title that the other must have."""

SPELLING = 0.75
"""Likeness of two surnames that count as two spellings of one."""

_ARTICLES = {"a", "an", "the"}
_LETTERS = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ß": "ss", "&": " and ", "’": "", "'": ""})
_WORD = re.compile(r"[^\W_]+")
_SUBTITLE = re.compile(r"[:;\n(]|\s[—–-]+\s|,\s+or\b")


def words(text: str) -> list[str]:
    """The words of a name, in small letters without accents, an article before them left out.

    >>> words("The Émigré's Tale")
    ['emigres', 'tale']
    """
    lower = text.casefold().translate(_LETTERS)
    bare = "".join(c for c in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(c))
    found = _WORD.findall(bare)
    return found[1:] if len(found) > 1 and found[0] in _ARTICLES else found


def same_title(expected: Iterable[str], found: str) -> bool:
    """Whether a title is one of those expected: equal with or without its subtitle, or the same but for one word in five.

    A title within another is not the same title.

    >>> same_title(["We"], "The Power of Women"), same_title(["Frankenstein"], "Frankenstein; Or, The Modern Prometheus")
    (False, True)
    """
    return any(_alike(a, b) for title in expected for a in _forms(title) for b in _forms(found))


def _forms(title: str) -> Iterator[list[str]]:
    yield words(title)
    yield words(_SUBTITLE.split(title.strip(), maxsplit=1)[0])


def _alike(a: list[str], b: list[str]) -> bool:
    if not a or not b:
        return False
    shared = len(set(a) & set(b))
    return a == b or (shared >= OVERLAP * len(set(a)) and shared >= OVERLAP * len(set(b)))


def same_author(expected: str, found: Iterable[str]) -> bool:
    """Whether one of the names, written `Surname, First names` or in natural order, is the author's, in some spelling.

    >>> same_author("Yevgeny Zamyatin", ["Zamiatin, Evgenii Ivanovich"]), same_author("Jack London", ["Wells, H. G."])
    (True, False)
    """
    surname = "".join(_surname(expected))
    return any(SequenceMatcher(None, surname, "".join(_surname(name))).ratio() >= SPELLING for name in found)


def _surname(name: str) -> list[str]:
    first, comma, _ = name.partition(",")
    return words(first) if comma else words(name)[-1:]
