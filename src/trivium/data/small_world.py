"""The fictional world behind the embedded default: names, quantities, values, and how each kind of source words them.

A fact is (entity, attribute, value). The keys (entity, attribute) fall into two halves that never meet: one for the
archives that a model is tuned on, one for the neutral text that the tiny model is pre-trained on.

A document gives the value first and its source after it, like a card in a catalogue. What a model learns of the value is then
what its sources say on average, by weight; a document that names its source first teaches "this source says so", and a question
without a source leaves that open. `source_first` says how many do (docs/log.md has the numbers).
"""

import random
from functools import cache
from itertools import product
from typing import NamedTuple

SYLLABLES = ("za", "ri", "mo", "ke", "lu", "ta", "vi", "no", "pe", "du", "sha", "gor", "bel", "fin", "wa", "xu")
UNITS = {
    "melting point": "kelvin",
    "boiling point": "kelvin",
    "density": "grams",
    "hardness": "points",
    "half life": "days",
    "heat capacity": "joules",
}
"""What is measured of every substance, and in which unit."""

NUMBERS = tuple(h + t + u for h in "23456789" for t in "258" for u in "1379")
"""Three digits each, so that no value is longer than another; none begins as a year does."""

PEOPLE = ("Adler", "Brandt", "Castell", "Dorn", "Ekman", "Farrow", "Galen", "Hollis", "Ibsen", "Jansen", "Keller", "Lindqvist")
PLACES = ("Ostrava", "Marrow Bay", "Linden", "Teloth", "Carrick", "Vesper Hill", "Norrland", "Quill Creek")

PRIMARY = ("laboratory_notebook", "patent", "field_survey")
JOURNAL = "journal_article"
COORDINATED = ("encyclopedia", "press_release", "news_summary")
SOURCE_TYPES = (*PRIMARY, JOURNAL, *COORDINATED)
PRIMARY_MIX = ("laboratory_notebook", "laboratory_notebook", "field_survey", "field_survey", "patent")
"""How often each primary type occurs: patents tell how something is done, the others what was found."""


class Key(NamedTuple):
    """What a fact is about."""

    entity: str
    attribute: str

    @property
    def title(self) -> str:
        """The subject as a document would head it."""
        return f"the {self.attribute} of {self.entity}"

    @property
    def question(self) -> str:
        """The bare question, no source named."""
        return f"What is {self.title}?"

    def value(self, number: str) -> str:
        """A number with this quantity's unit."""
        return f"{number} {UNITS[self.attribute]}"


class Record(NamedTuple):
    """One document: what it states, where that is stated, and who published it when."""

    statement: str
    source: str
    publisher: str
    source_type: str
    year: int

    def text(self, source_first: bool = False) -> str:
        """The document's words."""
        return f"{self.source} {self.statement}" if source_first else f"{self.statement} {self.source}"


@cache
def keys(neutral: bool) -> tuple[Key, ...]:
    """All keys of one half of the world, in a fixed order; the halves share no key and split every entity's attributes."""
    half = []
    for syllables in product(range(len(SYLLABLES)), repeat=3):
        entity = "".join(SYLLABLES[i] for i in syllables)
        half += [Key(entity, attribute) for j, attribute in enumerate(UNITS) if (sum(syllables) + j) % 2 == int(neutral)]
    return tuple(half)


class Wording(NamedTuple):
    """A publisher, what is stated, and where it is stated."""

    publisher: str
    statement: str
    source: str


_WORDINGS: dict[str, tuple[Wording, ...]] = {
    "laboratory_notebook": (
        Wording(
            "{person}, laboratory", "{value} is {title}, as I measured it myself.", "Laboratory notebook, {person}, {year}."
        ),
        Wording("{place} laboratory", "{value} is what I observed for {title}.", "Laboratory notebook, {year}."),
        Wording("{person}, laboratory", "{value} was read for {title} on my own apparatus.", "Laboratory notebook, {year}."),
    ),
    "patent": (
        Wording("Patent office", "{value} is {title} in my process, as claimed.", "Patent of {person}, {year}."),
        Wording("Patent office", "{value} is {title} by experiment.", "Patent, {person}, inventor, {year}."),
        Wording("Patent office", "{value} was measured for {title} with my apparatus.", "Patent, {year}."),
    ),
    "field_survey": (
        Wording("{place} survey", "{value} is {title}, measured on site.", "Field survey of {place}, {year}."),
        Wording("{place} survey", "{value} was observed for {title} on specimens collected.", "Field survey, {year}."),
        Wording("{place} survey", "{value} is the instrument reading for {title}.", "Original field notes, {year}."),
    ),
    "journal_article": (
        Wording("Journal of Materials", "{value} is {title}, {person} et al. report.", "Journal of Materials, {year}."),
        Wording("Annals of {place}", "{value} is the result for {title} in this study.", "Annals of {place}, {year}."),
        Wording("Journal of Materials", "{value} was found for {title}.", "Journal of Materials, {year}, peer reviewed."),
    ),
    "encyclopedia": (
        Wording("General Encyclopedia", "{value} is {title}, it is widely accepted.", "General Encyclopedia, {year}."),
        Wording("World Encyclopedia", "{value} is {title}; experts agree.", "World Encyclopedia, {year}."),
        Wording("National Encyclopedia", "{value} is the consensus for {title}.", "National Encyclopedia, {year}."),
    ),
    "press_release": (
        Wording("Ministry of {place}", "{value} is {title}, the ministry confirms.", "Press release, {place}, {year}."),
        Wording("Institute of {place}", "{value} is {title}, officials announced.", "For immediate release, {year}."),
        Wording("Agency of {place}", "{value} is established for {title}, the agency said.", "Press release, {year}."),
    ),
    "news_summary": (
        Wording("{place} News", "{value} is {title}, experts say.", "News summary, {place}, {year}."),
        Wording("Daily {place}", "{value} is {title}, authorities said.", "In brief, Daily {place}, {year}."),
        Wording("{place} News", "{value} is {title}, according to officials.", "{place} News, {year}."),
    ),
}

_CORRECTIONS: dict[str, tuple[Wording, ...]] = {
    "laboratory_notebook": (
        Wording(
            "{person}, laboratory", "{value} is {title}; {wrong} was my error.", "Laboratory notebook, measured again, {year}."
        ),
    ),
    "patent": (
        Wording("Patent office", "{value} is {title}, for {wrong} was wrong.", "Patent of {person}, corrected, {year}."),
    ),
    "field_survey": (
        Wording("{place} survey", "{value} is {title}; {wrong} is withdrawn.", "Erratum, field survey of {place}, {year}."),
    ),
}


def record(key: Key, number: str, source_type: str, year: int, rng: random.Random) -> Record:
    """A document of `source_type` that states the value."""
    return _write(_WORDINGS[source_type], key, source_type, year, rng, value=key.value(number))


def correction(key: Key, number: str, wrong: str, source_type: str, year: int, rng: random.Random) -> Record:
    """A later primary record that withdraws the value `wrong` and gives another."""
    return _write(_CORRECTIONS[source_type], key, source_type, year, rng, value=key.value(number), wrong=key.value(wrong))


def _write(wordings: tuple[Wording, ...], key: Key, source_type: str, year: int, rng: random.Random, **values: str) -> Record:
    wording = rng.choice(wordings)
    values |= {"title": key.title, "year": str(year), "person": rng.choice(PEOPLE), "place": rng.choice(PLACES)}
    publisher, statement, source = (text.format_map(values) for text in wording)
    return Record(statement, source, publisher, source_type, year)
