"""Whole words and phrases of a long list in a text, each once: one automaton, boundaries looked at only where it hits."""

from collections.abc import Sequence

from ahocorasick_rs import AhoCorasick, Implementation

FORMS = "|"
"""Parts the forms of one keyword (`colony|colonies`)."""


class WordFinder:
    """Finds keywords without regard to case; a plural in -s and every form count as the keyword."""

    def __init__(self, keywords: Sequence[str]) -> None:
        self._keyword: list[int] = []
        patterns: dict[str, int] = {}
        for number, keyword in enumerate(keywords):
            for form in forms(keyword):
                patterns.setdefault(form, number)
        self._keyword = list(patterns.values())
        self._automaton = AhoCorasick(list(patterns), implementation=Implementation.DFA)

    def find(self, text: str) -> set[int]:
        """The numbers of the keywords that stand in a text; line breaks within phrases are spaces."""
        lower = text.lower()
        if "\n" in lower:
            lower = lower.replace("\n", " ")
        found: set[int] = set()
        size = len(lower)
        for pattern, start, end in self._automaton.find_matches_as_indexes(lower, overlapping=True):
            keyword = self._keyword[pattern]
            if keyword in found or (start and lower[start - 1].isalnum()):
                continue
            if end < size and lower[end].isalnum():
                plural = lower[end] == "s" and (end + 1 == size or not lower[end + 1].isalnum())
                if not plural:
                    continue
            found.add(keyword)
        return found


def forms(keyword: str) -> list[str]:
    """The spellings of a keyword in lower case.

    >>> forms("Colony|colonies")
    ['colony', 'colonies']
    """
    return [form.strip().lower() for form in keyword.split(FORMS) if form.strip()]
