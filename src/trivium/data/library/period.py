"""A period: which works belong to it by their date, and which words show that a passage does not."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trivium.data.library.dated import day_of
from trivium.data.library.wordfinder import WordFinder, forms
from trivium.data.library.works import Work
from trivium.data.rejects import BadRow
from trivium.data.yamlfile import Entry, located
from trivium.errors import ConfigError
from trivium.schema.library import PeriodConfig

SHIPPED = Path(__file__).parent / "anachronisms"
SETTING = "dataset.library.period.anachronisms"
FIRST, LAST = -3000, 2200


def cutoff_of(text: str | int) -> datetime.date:
    """The last day of a period that is named by its last day or year; raises `ConfigError` for anything else.

    >>> cutoff_of(1869), cutoff_of("1969-07-20")
    (datetime.date(1869, 12, 31), datetime.date(1969, 7, 20))
    """
    try:
        return day_of(text, last=True)
    except ValueError as error:
        raise ConfigError(f"dataset.library.period.cutoff: {error}.") from None


def last_day(config: PeriodConfig) -> datetime.date | None:
    """The last day of a configured period, None where it has no end; raises `ConfigError` as `cutoff_of` does."""
    return None if config.cutoff is None else cutoff_of(config.cutoff)


def require_dated(work: Work, config: PeriodConfig) -> None:
    """Raise `BadRow` where a work does not belong to the period: written after it, or without a date, unless that is accepted.

    A work of which only the year is known belongs to a period that ends in that year.
    """
    cutoff = last_day(config)
    if cutoff is None:
        return
    if work.day is None and work.year is None:
        if config.unknown == "reject":
            raise BadRow("no date", "dataset.library.period.unknown=accept takes such works")
    elif work.day > cutoff if work.day is not None else (work.year or 0) > cutoff.year:
        raise BadRow("after the period", f"it is of {work.day or work.year}, the period ends on {cutoff}")


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Terms and the year in which each was first used."""

    name: str
    version: int
    source: str
    years: Mapping[str, int]


class Anachronisms:
    """Finds terms that a period cannot have known."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._years = list(lexicon.years.values())
        self._terms = [forms(term)[0] for term in lexicon.years]
        self._finder = WordFinder(list(lexicon.years))

    def find(self, text: str, year: int) -> list[str]:
        """The terms in a text that were first used after a year, in the lexicon's order."""
        found = self._finder.find(text)
        return [self._terms[number] for number in sorted(found) if self._years[number] > year] if found else []


def load(name: str) -> Anachronisms:
    """The anachronisms of a shipped name (`modern`) or a YAML file; raises `ConfigError` naming the file and the key."""
    return _read(*located(name, SHIPPED))


@cache
def _read(path: Path, modified: int) -> Anachronisms:
    """`modified` (nanoseconds) is there so that a changed file is read again."""
    entry = Entry.read(path, SETTING).keys("name version source terms")
    terms = entry.at("terms")
    years = {term: int(terms.number(term, FIRST, LAST)) for term in terms.value}
    entry.require(all(forms(term) for term in years), "terms holds one that has no letters")
    return Anachronisms(Lexicon(entry.text("name"), int(entry.number("version", 1, 1e6)), entry.text("source"), years))
