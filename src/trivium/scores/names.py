"""Proper names and numbers in a text, found by their form."""

import re
from collections.abc import Iterable

from trivium.scores.lexicon import Lexicon
from trivium.scores.words import sentences, stem, words

_NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?!\w)")
_MARKER = re.compile(r"^[ \t]{0,20}(?:\d{1,3}[.)]|[-*•])[ \t]+", re.MULTILINE)
_TOKEN = re.compile(r"[^\W\d_][\w'\-]*|[^\w\s]")
_LINKS = frozenset(("of", "de", "von", "van", "der", "la"))
_SUBJECT_BEFORE = frozenset(["is", "was", "are", "were", "has", "had", "does", "did", "can", "will", "would", "said"])
_NOT_NAMES = ("ing", "ly")


def numbers(text: str) -> list[str]:
    """The numbers in digits, without thousands separators; list markers and single digits do not count.

    >>> numbers("1. It melts at 1,811 kelvin, or 3.5 units. 2) In 1930.")
    ['1811', '3.5', '1930']
    """
    found = [match.group().replace(",", "") for match in _NUMBER.finditer(_MARKER.sub("", text))]
    return [number for number in dict.fromkeys(found) if len(number) > 1]


def names(text: str, lexicon: Lexicon, predicates: Iterable[str] = ()) -> list[str]:
    """The runs of capitalised words, in their order, each once.

    A single capitalised word at the start of a sentence is a name only where a verb that takes a subject follows: an
    auxiliary, or one of the stems in `predicates`.
    """
    known = frozenset(predicates)
    found: list[str] = []
    for sentence in sentences(_MARKER.sub("", text)):
        found += _of_sentence(_TOKEN.findall(sentence), lexicon, known)
    return list(dict.fromkeys(found))


def holds(text: str, name: str) -> bool:
    """Whether the words of a name stand in a row in a text, without regard to case.

    >>> holds("It was in new york.", "New York"), holds("York is new.", "New York")
    (True, False)
    """
    return f" {' '.join(words(name))} " in f" {' '.join(words(text))} "


def own(sentences_told: Iterable[str], question: str) -> list[str]:
    """The sentences that do not stand word for word in the question.

    >>> own(["Zari is a metal.", "It carries heat."], "Zari is a metal. What does it carry?")
    ['It carries heat.']
    """
    return [sentence for sentence in sentences_told if not holds(question, sentence)]


def _of_sentence(tokens: list[str], lexicon: Lexicon, predicates: frozenset[str]) -> list[str]:
    found: list[str] = []
    i = 0
    while i < len(tokens):
        end = _end_of_name(tokens, i, lexicon)
        if end > i + 1 or (end == i + 1 and (i > 0 or _is_subject(tokens, predicates))):
            found.append(" ".join(tokens[i:end]))
        i = max(end, i + 1)
    return found


def _end_of_name(tokens: list[str], start: int, lexicon: Lexicon) -> int:
    """Past the last word of the name that begins here; `start` itself where none does."""
    if not _capital(tokens[start]) or tokens[start].lower() in lexicon.words("function_words"):
        return start
    end = start + 1
    while end < len(tokens):
        if _capital(tokens[end]):
            end += 1
        elif tokens[end] in _LINKS and end + 1 < len(tokens) and _capital(tokens[end + 1]):
            end += 2
        else:
            break
    return end


def _capital(token: str) -> bool:
    return token[0].isupper()


def _is_subject(tokens: list[str], predicates: frozenset[str]) -> bool:
    first = tokens[0].lower()
    if len(tokens) < 2 or first.endswith(_NOT_NAMES):
        return False
    second = tokens[1].lower()
    return second in _SUBJECT_BEFORE or stem(second) in predicates
