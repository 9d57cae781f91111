"""Reading a text for markers of its own provenance: what each adds to authority, and which kinds of evidence are shown."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from trivium.data.lexicon import Age, Citation, Effects, Markers
from trivium.data.phrases import PhraseFinder

SCHOLARSHIP = "scholarship"
"""The kind of evidence that citations are."""

_YEAR = r"(?:1[5-9]|20)\d\d[a-z]?"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_BRACKET = re.compile(rf"\[(?:\d{{1,3}}(?:\s?[,;–-]\s?\d{{1,3}})*|[A-Z][^\[\]\d]{{1,60}}[ ,]{_YEAR})\]")
_AUTHOR_YEAR = re.compile(rf"\((?!{_MONTH}[a-z]*\.? )(?:see |cf\. )?[A-Z][^()\d]{{1,80}}[ ,]{_YEAR}(?:[,:;][^()]{{0,200}})?\)")
_JUST_BEFORE = 8
"""Characters before a bracket in which `et al.` makes the two one citation."""


class Reading(NamedTuple):
    """Effects on authority by marker, and the number of distinct markers of each kind of evidence."""

    effects: dict[str, float]
    counts: dict[str, int]


class MarkerReader:
    """Applies a marker lexicon to texts."""

    def __init__(self, markers: Markers) -> None:
        self._markers = markers
        self._cited = frozenset(markers.citation.words)
        self._kinds: dict[str, list[str]] = {}
        for kind, phrases in markers.evidence.items():
            for phrase in phrases:
                self._kinds.setdefault(phrase, []).append(kind)
        self._lent = _lent({**markers.institution.words, **markers.publisher})
        words = (markers.institution.words, markers.consensus.words, markers.primary.words, self._kinds, markers.citation.words)
        self._text = self._finder(phrase for group in words for phrase in group)
        self._publisher = self._finder(self._lent)

    def _finder(self, phrases: Iterable[str]) -> PhraseFinder:
        markers = self._markers
        own, repeated = markers.primary.words, markers.citation.words
        return PhraseFinder(phrases, markers.negations, markers.affirmations, own=own, repeated=repeated)

    def read(self, text: str, publisher: str, year: int | None) -> Reading:
        """What the text, the publisher's name or address, and the year of a source show."""
        markers = self._markers
        found = self._text.find(text)
        distinct = dict.fromkeys(found)
        effects = _age(year, markers.age)
        citations = _citations(text, [phrase for phrase in found if phrase in self._cited])
        effects.update(_citation_effects(citations, markers.citation))
        effects.update(self._institution(distinct, publisher))
        effects.update(_capped("consensus", distinct, markers.consensus, markers.consensus.most))
        modern = year is not None and year >= markers.age.since
        effects.update(
            _capped("primary", distinct, markers.primary, markers.primary_modern if modern else markers.primary.most)
        )
        counts = Counter(kind for phrase in distinct if phrase in self._kinds for kind in self._kinds[phrase])
        if citations:
            counts[SCHOLARSHIP] += 1
        return Reading(effects, counts)

    def _institution(self, distinct: Iterable[str], publisher: str) -> dict[str, float]:
        """The strongest institution alone: being named by three ministries is no more than by one."""
        words = self._markers.institution.words
        lent = [(words[phrase], phrase) for phrase in distinct if phrase in words]
        if publisher:
            lent += [(self._lent[name], name) for name in self._publisher.find(publisher)]
        if not lent:
            return {}
        value, name = max(lent)
        return {f"institution:{name.lower()}": min(value, self._markers.institution.most)}


def _lent(names: Mapping[str, float]) -> dict[str, float]:
    """A longer name lends at least what the names within it do: the longest is the one that is found."""
    spaced = {f" {name.lower()} ": value for name, value in names.items()}
    return {name: max(value for other, value in spaced.items() if other in f" {name.lower()} ") for name in names}


def _age(year: int | None, rule: Age) -> dict[str, float]:
    """Nothing for an undated source: unknown is neither old nor modern."""
    if year is None or rule.before <= year < rule.since:
        return {}
    return {f"age:{year}": rule.older if year < rule.before else rule.newer}


def _citations(text: str, words: list[str]) -> dict[str, int]:
    """Citations by form, each counted once: brackets and parentheses that `et al.` introduces or stands in are its own."""
    counts: dict[str, int] = Counter(words)
    for form, sign, pattern in (("bracket", "[", _BRACKET), ("author-year", "(", _AUTHOR_YEAR)):
        if sign in text:
            matches = pattern.finditer(text)
            number = sum("et al" not in text[max(0, m.start() - _JUST_BEFORE) : m.end()] for m in matches)
            if number:
                counts[form] = number
    return counts


def _citation_effects(counts: dict[str, int], rule: Citation) -> dict[str, float]:
    """`min(most, per_decade · log10(n + 1))`, shared out by form in proportion to the counts."""
    total = sum(counts.values())
    if not total:
        return {}
    effect = min(rule.most, rule.per_decade * math.log10(total + 1))
    return {f"citation:{form}": effect * count / total for form, count in counts.items()}


def _capped(group: str, distinct: Iterable[str], rule: Effects, most: float) -> dict[str, float]:
    """Effects of a group's distinct phrases, scaled down together where their sum exceeds `most`."""
    effects = {f"{group}:{phrase.lower()}": rule.words[phrase] for phrase in distinct if phrase in rule.words}
    total = sum(effects.values())
    if abs(total) <= abs(most):
        return effects
    return {name: value * most / total for name, value in effects.items()}
