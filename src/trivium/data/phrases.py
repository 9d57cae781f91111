"""Finding phrases in text as a reader would: whole words, capitals where they matter, not under a negation."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind

_WORDS, _REACH = 4, 48
"""A negation undoes a phrase from this many words before it, looked for in this many characters."""
_CLAUSE = re.compile(r"[.!?;:,()\[\]\"“”]|\bbut\b")


class _Pattern(NamedTuple):
    """A phrase in lower case, how it may be spelt (with the places of required capitals), and the patterns within it."""

    lower: str
    spellings: list[tuple[str, tuple[int, ...]]]
    within: list[tuple[int, int]]


class PhraseFinder:
    """Finds many phrases at once by one Aho-Corasick automaton; boundaries, case and negation are looked at only at hits.

    Phrases in `own` count only in the text's own voice, not within quotation marks. Phrases in `repeated` are found as often
    as they stand, all others once.
    """

    def __init__(
        self,
        phrases: Iterable[str],
        negations: Iterable[str],
        affirmations: Iterable[str],
        *,
        own: Iterable[str] = (),
        repeated: Iterable[str] = (),
    ) -> None:
        self._own = frozenset(own)
        again = frozenset(repeated)
        spellings: dict[str, list[tuple[str, tuple[int, ...]]]] = {}
        for phrase in dict.fromkeys(phrases):
            capitals = tuple(i for i, c in enumerate(phrase) if c.isupper())
            spellings.setdefault(phrase.lower(), []).append((phrase, capitals))
        lowers = list(spellings)
        self._patterns = [_Pattern(lower, spellings[lower], _within(lower, lowers)) for lower in lowers]
        self._once = [len(spelt) == 1 and spelt[0][0] not in again for spelt in spellings.values()]
        self._automaton = AhoCorasick(lowers, MatchKind.LeftmostLongest, implementation=Implementation.DFA)
        self._negation = re.compile(rf"(?<!\w)(?:{_alternatives(negations)})(?!\w)|n['’]t(?!\w)")
        self._affirmation = re.compile(rf"(?<!\w)(?:{_alternatives(affirmations)})(?!\w)")

    def find(self, text: str) -> list[str]:
        """The phrases in the order in which they stand; of overlapping ones the longest."""
        text = _one_line(text)
        lower = text.lower()
        if len(lower) != len(text):  # the dotted capital İ is the one letter whose lower case is two characters
            text = text.replace("İ", "I")
            lower = text.lower()
        found: list[str] = []
        settled: set[int] = set()
        for index, start, _ in self._automaton.find_matches_as_indexes(lower):
            if index in settled:
                continue
            if accepted := self._accepted(index, start, text, lower):
                found += accepted
                if self._once[index]:
                    settled.add(index)
        return found

    def _accepted(self, index: int, start: int, text: str, lower: str) -> list[str]:
        pattern = self._patterns[index]
        if _is_word(lower, start, start + len(pattern.lower)) and not _is_numeral(pattern.lower, text, start):
            spelt = [
                phrase for phrase, capitals in pattern.spellings if not capitals or _capitals(text, start, phrase, capitals)
            ]
            if spelt:
                return [] if self._negated(lower, start) else [phrase for phrase in spelt if self._voiced(phrase, text, start)]
        for inner, offset in pattern.within:
            if shorter := self._accepted(inner, start + offset, text, lower):
                return shorter
        return []

    def _voiced(self, phrase: str, text: str, start: int) -> bool:
        return phrase not in self._own or not _quoted(text, start)

    def _negated(self, lower: str, start: int) -> bool:
        """Whether one of the few words before, in the same clause, negates."""
        reach = max(0, start - _REACH)
        if self._negation.search(lower, reach, start) is None:
            return False
        words = _CLAUSE.split(lower[reach:start])[-1].split()[-_WORDS:]
        return self._negation.search(self._affirmation.sub(" ", " ".join(words))) is not None


def _alternatives(words: Iterable[str]) -> str:
    return "|".join(re.escape(word.lower()) for word in words) or r"(?!)"


def _within(lower: str, lowers: list[str]) -> list[tuple[int, int]]:
    """Shorter patterns inside one, longest first: they count where the whole does not."""
    inside = [(i, lower.find(other)) for i, other in enumerate(lowers) if other != lower and other in lower]
    return sorted(inside, key=lambda item: -len(lowers[item[0]]))


def _one_line(text: str) -> str:
    """The same text with line breaks as spaces: phrases run on over hard-wrapped lines."""
    if "\r" in text:
        text = text.replace("\r\n", " ").replace("\r", " ")
    return text.replace("\n", " ")


def _is_word(lower: str, start: int, end: int) -> bool:
    """Whether the span begins and ends with words; a hyphen before it makes it part of a compound (`non-government`)."""
    if start and lower[start].isalnum():
        before = lower[start - 1]
        if before.isalnum() or (before == "-" and start > 1 and lower[start - 2].isalnum()):
            return False
    return not (end < len(lower) and lower[end - 1].isalnum() and lower[end].isalnum())


_NUMBERED = re.compile(r"[\w,;] [A-Z]\w+ \Z")
"""A capitalised word within a sentence: `World War` I, `King Charles` I."""


def _is_numeral(lower: str, text: str, start: int) -> bool:
    """Whether a phrase that begins with the pronoun I begins with a Roman numeral here (`World War I saw`)."""
    return lower.startswith("i ") and _NUMBERED.search(text[max(0, start - 24) : start]) is not None


def _quoted(text: str, start: int) -> bool:
    """Whether the nearest quotation mark before, if it is near, opens a quotation."""
    opening, closing, plain = (text.rfind(mark, max(0, start - 300), start) for mark in '“”"')
    if plain > max(opening, closing):
        return plain == 0 or text[plain - 1] in " (—-["
    return opening > closing


def _capitals(text: str, start: int, phrase: str, capitals: tuple[int, ...]) -> bool:
    """Whether the capitals stand; an acronym among words that are all capitals is a shouted word (`WHO IS IT`)."""
    if not all(text[start + i].isupper() for i in capitals):
        return False
    return not phrase.isupper() or not _shouted(text, start, start + len(phrase))


_WORD_BEFORE = re.compile(r"[^\W\d_]{2,} \Z")
_WORD_AFTER = re.compile(r" ([^\W\d_]{2,})")


def _shouted(text: str, start: int, end: int) -> bool:
    before = _WORD_BEFORE.search(text[max(0, start - 24) : start])
    after = _WORD_AFTER.match(text, end)
    neighbours = [match[0].strip() for match in (before, after) if match is not None]
    return bool(neighbours) and all(word.isupper() for word in neighbours)
