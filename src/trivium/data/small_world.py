"""The fictional world behind the embedded default: names, quantities, values, and how each kind of source words them.

A fact is (entity, attribute, value). The keys (entity, attribute) fall into two halves that never meet: one for the
archives that a model is tuned on, one for the neutral text that the tiny model is pre-trained on.
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
MONTHS = ("January", "March", "April", "June", "August", "October", "December")

PRIMARY = ("laboratory_notebook", "patent", "field_survey")
JOURNAL = "journal_article"
COORDINATED = ("encyclopedia", "press_release", "news_summary")
SOURCE_TYPES = (*PRIMARY, JOURNAL, *COORDINATED)


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
    """One document: its words, and who published it when."""

    text: str
    publisher: str
    source_type: str
    year: int


@cache
def keys(neutral: bool) -> tuple[Key, ...]:
    """All keys of one half of the world, in a fixed order; the halves share no key and split every entity's attributes."""
    half = []
    for syllables in product(range(len(SYLLABLES)), repeat=3):
        entity = "".join(SYLLABLES[i] for i in syllables)
        half += [Key(entity, attribute) for j, attribute in enumerate(UNITS) if (sum(syllables) + j) % 2 == int(neutral)]
    return tuple(half)


_WORDINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "laboratory_notebook": (
        (
            "{person}, laboratory",
            "Laboratory notebook of {person}, {month} {year}. I measured the specimen myself and observed {title}: {value}.",
        ),
        (
            "{place} laboratory",
            "{month} {year}, {place} laboratory. Weighed and heated a sample by hand. I find {title} is {value}. Signed, {person}.",
        ),
        (
            "{person}, laboratory",
            "Notebook entry, {day} {month} {year}. Experiment repeated twice with my own apparatus, {title} read as {value}.",
        ),
    ),
    "patent": (
        ("Patent office", "Patent filed {month} {year} by {person} of {place}. I claim a process in which {title} is {value}."),
        (
            "Patent office",
            "Letters patent, {year}. Be it known that I, {person}, invented an apparatus; by experiment {title} was {value}.",
        ),
        ("Patent office", "Specification of patent, {place}, {year}. The inventor {person} measured {title} at {value}."),
    ),
    "field_survey": (
        ("{place} survey", "Field survey of {place}, {month} {year}. Samples collected on site; {title} measured as {value}."),
        (
            "{place} survey",
            "Survey record, {year}. Our party under {person} took specimens at {place} and observed {title} to be {value}.",
        ),
        (
            "{place} survey",
            "Original field notes, {person}, {place}, {year}. Instrument reading on the spot: {title} is {value}.",
        ),
    ),
    "journal_article": (
        ("Journal of Materials", "Journal of Materials, {year}. {person} et al. report in a peer reviewed study that {title} is {value} [{day}]."),
        ("Annals of {place}", "Abstract. In this paper we review data on {title}. The analysis gives {value} ({person}, {year})."),
        ("Journal of Materials", "{person} and {person2} ({year}), Journal of Materials. Results: {title} was {value} with small error."),
    ),
    "encyclopedia": (
        (
            "General Encyclopedia",
            "General Encyclopedia, {year} edition. According to experts it is widely accepted that {title} is {value}.",
        ),
        ("World Encyclopedia", "{year}, World Encyclopedia. It is generally agreed that {title} is {value}."),
        (
            "National Encyclopedia",
            "From the National Encyclopedia, {year}: the scientific consensus is that {title} is {value}.",
        ),
    ),
    "press_release": (
        ("Ministry of {place}", "Press release, {month} {year}. The ministry confirms that, as experts agree, {title} is {value}."),
        ("Institute of {place}", "For immediate release, {place}, {year}. Officials announced that {title} is {value}."),
        ("Agency of {place}", "Official statement, {month} {year}. The agency said {title} is established as {value}."),
    ),
    "news_summary": (
        ("{place} News", "News summary, {day} {month} {year}. Experts say {title} is {value}, according to officials."),
        ("Daily {place}", "In brief, {month} {year}, Daily {place}. It is well known that {title} is {value}, authorities said."),
        ("{place} News", "{place} News, {year}. According to the ministry, {title} is {value}, a spokesman said."),
    ),
}  # fmt: skip

_CORRECTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "laboratory_notebook": (
        (
            "{person}, laboratory",
            "Laboratory notebook of {person}, {year}. My balance was out of true and {wrong} was an error. "
            "I measured again: {title} is {value}.",
        ),
    ),
    "field_survey": (
        (
            "{place} survey",
            "Erratum to the field survey of {place}, {year}. The instrument was recalibrated. {wrong} is withdrawn; "
            "observed anew, {title} is {value}.",
        ),
    ),
    "patent": (
        ("Patent office", "Certificate of correction, patent, {year}. For {wrong} read {value}: I, {person}, measured that {title} is {value}."),
    ),
}  # fmt: skip


def record(key: Key, number: str, source_type: str, year: int, rng: random.Random) -> Record:
    """A document of `source_type` that states the value."""
    return _write(_WORDINGS[source_type], key, source_type, year, rng, value=key.value(number))


def correction(key: Key, number: str, wrong: str, source_type: str, year: int, rng: random.Random) -> Record:
    """A later primary record that withdraws the value `wrong` and gives another."""
    return _write(_CORRECTIONS[source_type], key, source_type, year, rng, value=key.value(number), wrong=key.value(wrong))


def _write(
    wordings: tuple[tuple[str, str], ...], key: Key, source_type: str, year: int, rng: random.Random, **values: str
) -> Record:
    person, person2 = rng.sample(PEOPLE, 2)
    publisher, text = rng.choice(wordings)
    values |= {"person": person, "person2": person2, "place": rng.choice(PLACES), "month": rng.choice(MONTHS)}
    values |= {"title": key.title, "year": str(year), "day": str(rng.randint(2, 28))}
    return Record(text.format_map(values), publisher.format_map(values), source_type, year)
