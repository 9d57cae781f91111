"""From works to passages: cut, filtered by date, themes, anachronisms and relevance, near-copies left out, all counted."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trivium.data.library import chunk, lift, period, relevance, themes
from trivium.data.library.held import Held
from trivium.data.library.themes import Found
from trivium.data.library.units import unit_of
from trivium.data.library.works import Work
from trivium.data.progress import TICK, Progress
from trivium.data.rejects import BadRow, Rejects
from trivium.errors import DataError
from trivium.sample import Sample
from trivium.schema import DatasetConfig

READ, COPIES = "passages", "near-duplicates"
BATCH = 128
"""Passages whose relevance is asked at once."""

SHOWN = 20
"""Anachronisms that the report names."""

_LONGEST_VALUE = 200
"""Characters of a value of a work's metadata that goes along with its passages."""


@dataclass
class Counts:
    """What became of works and passages."""

    works: int = 0
    outside: int = 0
    cut: int = 0
    short: int = 0
    anachronistic: int = 0
    irrelevant: int = 0
    keywords: Counter[int] = field(default_factory=Counter)
    terms: Counter[str] = field(default_factory=Counter)
    tally: lift.Tally = field(default_factory=lift.Tally)


def select(
    config: DatasetConfig,
    works: Iterable[Work],
    out: Path,
    rejects: Rejects,
    tell: Progress,
    cache_dir: Path | None = None,
) -> dict[str, Any]:
    """Write the passages of the works that are wanted to `out`/passages.jsonl as samples; returns the report.

    Raises `DataError` when none is left or the disk refuses, `ConfigError` for a lexicon that cannot be read. `cache_dir`
    keeps the embedded embedding model, where relevance is asked of it; with None it is built anew.
    """
    chooser = _Chooser(config, rejects, cache_dir)
    ordinary = lift.ordinary(config.library, chooser.themes, chooser.unit)
    with Held(out, config.dedup) as held:
        for passage, keywords in chooser.passages(works, tell):
            held.add(passage, keywords)
        tell(COPIES, chooser.counts.tally.passed)
        kept, copies = held.write(out, config.library.themes.ranges)
    if not kept:
        raise DataError(_nothing(config, chooser.counts, rejects))
    found = lift.block(chooser.counts.tally, ordinary, config.library.themes)
    if found["warning"] is not None:
        rejects.note("lift below dataset.library.themes.min_lift", found["warning"])
    return {
        **_report(chooser.counts, kept, copies),
        "rejected": dict(rejects.reasons),
        "lift": found,
        "lexicons": {
            "themes": [chooser.themes.lexicon.name, chooser.themes.lexicon.version],
            "anachronisms": [chooser.anachronisms.lexicon.name, chooser.anachronisms.lexicon.version],
        },
    }


def _report(counts: Counts, kept: int, copies: int) -> dict[str, Any]:
    return {
        "works": {"read": counts.works, "outside_period": counts.outside, "used": counts.works - counts.outside},
        "passages": {
            "cut": counts.cut,
            "too_short": counts.short,
            "passed_keywords": counts.tally.passed,
            "anachronistic": counts.anachronistic,
            "irrelevant": counts.irrelevant,
            "duplicates": copies,
            "kept": kept,
        },
        "themes": dict(counts.tally.themes.most_common()),
        "keywords": {str(number): times for number, times in sorted(counts.keywords.items())},
        "anachronisms": dict(counts.terms.most_common(SHOWN)),
    }


def _nothing(config: DatasetConfig, counts: Counts, rejects: Rejects) -> str:
    first = f" The first reject: {rejects.first()}." if rejects.count else ""
    library = config.library
    if counts.works and counts.works == counts.outside:
        return (
            f"dataset.library.period: all {counts.works} works are outside the period or bear no date; give works "
            f"of the period, or their dates (a catalogue beside them), or set dataset.library.period.unknown=accept.{first}"
        )
    if not counts.cut - counts.short:
        return (
            f"dataset.library: {counts.works} works ({counts.outside} outside the period) give no passage of "
            f"dataset.library.chunk.min_size={library.chunk.min_size} or more; lower it, or give more works.{first}"
        )
    return (
        f"dataset.library: none of {counts.cut - counts.short} passages is left: {counts.tally.passed} have the keywords of "
        f"dataset.library.themes, of which {counts.anachronistic} have anachronisms and {counts.irrelevant} are not near the "
        f"themes; lower dataset.library.themes.min_matches, or choose another lexicon.{first}"
    )


class _Chooser:
    """Cuts works and lets the wanted passages through."""

    def __init__(self, config: DatasetConfig, rejects: Rejects, cache_dir: Path | None) -> None:
        self._library, self._rejects = config.library, rejects
        self.counts = Counts()
        self.unit = unit_of(self._library.chunk)
        self.themes = themes.Themes(themes.load(self._library.themes.lexicon))
        self.anachronisms = period.load(self._library.period.anachronisms)
        last = period.last_day(self._library.period)
        self._last = None if last is None else last.year
        self._near = None
        if self._library.relevance.enabled:
            self._near = relevance.load(self._library.relevance, self.themes.lexicon, cache_dir)

    def passages(self, works: Iterable[Work], tell: Progress) -> Iterator[tuple[Sample, int]]:
        """The wanted passages and their numbers of keywords, in the works' order."""
        batch: list[tuple[Sample, int]] = []
        for work in works:
            for passage in self._of_work(work, tell):
                if self._near is None:
                    yield passage
                    continue
                batch.append(passage)
                if len(batch) >= BATCH:
                    yield from self._relevant(batch)
                    batch = []
        yield from self._relevant(batch)
        tell(READ, self.counts.cut)

    def _of_work(self, work: Work, tell: Progress) -> Iterator[tuple[Sample, int]]:
        self.counts.works += 1
        try:
            period.require_dated(work, self._library.period)
        except BadRow as problem:
            self.counts.outside += 1
            self._rejects.add(work.id, None, problem)
            return
        about = _about(work)
        try:
            for number, cut in enumerate(chunk.cuts(work.lines, self._library.chunk, self.unit)):
                self.counts.cut += 1
                if self.counts.cut % TICK == 0:
                    tell(READ, self.counts.cut)
                if (found := self._found(work, number, cut.text.strip())) is not None:
                    yield _passage(work, number, cut, found, about), found.total
        except (BadRow, OSError) as problem:
            reason = problem if isinstance(problem, BadRow) else BadRow("unreadable file", problem.strerror or str(problem))
            self._rejects.add(work.id, None, reason)

    def _found(self, work: Work, number: int, text: str) -> Found | None:
        """The keywords of a passage that is wanted."""
        counts = self.counts
        if not text or self.unit.count(text) < self._library.chunk.min_size:
            counts.short += 1
            return None
        found = self.themes.find(text)
        passes = lift.passes(found, self._library.themes)
        counts.tally.add(found, passes)
        counts.keywords[found.total] += 1
        return found if passes and self._of_period(work, number, text) else None

    def _of_period(self, work: Work, number: int, text: str) -> bool:
        if self._last is None:
            return True
        terms = self.anachronisms.find(text, self._last)
        self.counts.terms.update(terms)
        if len(terms) <= self._library.period.max_anachronisms:
            return True
        self.counts.anachronistic += 1
        self._rejects.add(f"{work.id}#{number}", None, BadRow("anachronism", ", ".join(terms)))
        return False

    def _relevant(self, batch: list[tuple[Sample, int]]) -> Iterator[tuple[Sample, int]]:
        if self._near is None or not batch:
            return
        for (passage, keywords), score in zip(batch, self._near([passage.text for passage, _ in batch]), strict=True):
            if score is None:
                self._rejects.note("passage without a relevance, left out", passage.id)
            if score is not None and score >= self._library.relevance.min_similarity:
                passage.metadata["relevance"] = round(score, 4)
                yield passage, keywords
            else:
                self.counts.irrelevant += 1


def _about(work: Work) -> dict[str, Any]:
    """What goes along with every passage of a work."""
    plain = {
        k: v
        for k, v in work.metadata.items()
        if isinstance(v, int | float) or (isinstance(v, str) and len(v) <= _LONGEST_VALUE)
    }
    return plain | ({"author": work.author} if work.author is not None else {})


def _passage(work: Work, number: int, cut: chunk.Cut, found: Found, about: dict[str, Any]) -> Sample:
    text = cut.text.strip()
    start = cut.start + len(cut.text) - len(cut.text.lstrip())
    return Sample(
        id=f"{work.id}#{number}",
        text=text,
        origin=work.origin,
        document=work.document,
        title=work.title,
        source_type=work.source_type,
        year=work.year,
        metadata={**about, "start": start, "themes": found.themes, "keywords": found.total},
    )
