"""Lexicons: versioned YAML data behind the provenance scores, read safely and validated whole when they are loaded."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trivium.data.yamlfile import Entry
from trivium.sample import slug

SHIPPED = Path(__file__).parent / "lexicons"
TRIVIUM = ("grammar", "logic", "rhetoric")
MAX_AUTHORITY = 0.99
UNKNOWN = "unknown"

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Age:
    """Effect of the year: `older` before the year `before`, `newer` from the year `since` on, none between."""

    before: int
    older: float
    since: int
    newer: float


@dataclass(frozen=True)
class Citation:
    """`min(most, per_decade · log10(n + 1))` of n citations; `words` are those that brackets and parentheses do not show."""

    per_decade: float
    most: float
    words: tuple[str, ...]


@dataclass(frozen=True)
class Effects:
    """Effect of each phrase on authority, and the most that all of them may have."""

    most: float
    words: Mapping[str, float]


@dataclass(frozen=True)
class Markers:
    """What a text and its metadata say of their own provenance.

    Capitals in a phrase must be capitals in the text. `publisher` holds names that count in the metadata only, beside those
    of `institution`; `primary_modern` caps `primary` in sources as young as `age.since`; `evidence` maps kinds of evidence
    to the words that show them; `affirmations` are the phrases in which a negation does not negate.
    """

    version: int
    source: str
    base: float
    age: Age
    citation: Citation
    institution: Effects
    publisher: Mapping[str, float]
    consensus: Effects
    primary: Effects
    primary_modern: float
    evidence: Mapping[str, tuple[str, ...]]
    negations: tuple[str, ...]
    affirmations: tuple[str, ...]


@dataclass(frozen=True)
class Prior:
    """What is known of a source type before its text is read.

    `evidence` is its mix of kinds, adding up to 1. From the year `later[0]` on a source of this type counts as `later[1]`.
    """

    name: str
    authority: float
    trivium: str
    evidence: Mapping[str, float]
    later: tuple[int, str] | None = None


def load_markers(name: str) -> Markers:
    """The marker lexicon of a shipped name (`default`) or a YAML file; raises `ConfigError` naming the file and the key."""
    entry = _read(name, "markers")
    entry.keys("version source base age citation institution publisher consensus primary evidence negations affirmations")
    age = entry.at("age").keys("before older since newer")
    age.require(age.number("before", -9999, 9999) <= age.number("since", -9999, 9999), "before must not be later than since")
    citation = entry.at("citation").keys("per_decade most words")
    primary = entry.at("primary").keys("most most_modern words")
    evidence = entry.at("evidence")
    return Markers(
        version=int(entry.number("version", 1, 1e6)),
        source=entry.text("source"),
        base=entry.number("base", 0, MAX_AUTHORITY),
        age=Age(
            int(age.number("before", -9999, 9999)),
            age.number("older", -1, 1),
            int(age.number("since", -9999, 9999)),
            age.number("newer", -1, 1),
        ),
        citation=Citation(citation.number("per_decade", 0, 1), citation.number("most", 0, 1), citation.phrases("words")),
        institution=_effects(entry.at("institution").keys("most words"), 0, 1),
        publisher=entry.at("publisher").numbers(0, 1),
        consensus=_effects(entry.at("consensus").keys("most words"), 0, 1),
        primary=_effects(primary, -1, 0),
        primary_modern=primary.number("most_modern", -1, 0),
        evidence={kind: evidence.phrases(kind) for kind in evidence.value},
        negations=entry.phrases("negations"),
        affirmations=entry.phrases("affirmations"),
    )


@dataclass(frozen=True)
class Priors:
    """Priors by the slug of every name that a source type goes by, and by words within publishers' names."""

    names: Mapping[str, Prior]
    publishers: Mapping[str, Prior]

    @property
    def unknown(self) -> Prior:
        """For sources of no known type."""
        return self.names[UNKNOWN]

    def of_type(self, value: str) -> Prior | None:
        """The prior of a source type, by its longest known ending: `utopian fiction` is fiction."""
        words = slug(value).split(" ")
        return next((self.names[name] for i in range(len(words)) if (name := " ".join(words[i:])) in self.names), None)

    def of_publisher(self, value: str) -> Prior | None:
        """The prior that a publisher stands for, by its whole name or else the longest known words in it."""
        if (named := self.names.get(slug(value))) is not None:
            return named
        words = " ".join(["", *_WORD.findall(value.lower()), ""])
        found = [name for name in self.publishers if f" {name} " in words]
        return self.publishers[max(found, key=len)] if found else None

    def at(self, prior: Prior, year: int | None) -> Prior:
        """The same prior, or the one that its type counts as from a certain year on."""
        if prior.later is None or year is None or year < prior.later[0]:
            return prior
        return self.names[slug(prior.later[1])]


def load_priors(name: str) -> Priors:
    """The priors of a shipped name (`default`) or a YAML file; raises `ConfigError` as `load_markers` does."""
    whole = _read(name, "priors").keys("version source types")
    whole.number("version", 1, 1e6)
    whole.text("source")
    types = whole.at("types")
    names: dict[str, Prior] = {}
    publishers: dict[str, Prior] = {}
    for key in types.value:
        entry = types.at(key).keys("authority trivium evidence", optional="names publishers later")
        prior = _prior(key, entry)
        _enter(names, (key, *entry.phrases("names", missing=())), prior, entry)
        _enter(publishers, entry.phrases("publishers", missing=()), prior, entry)
    types.require(UNKNOWN in names, f"needs an entry `{UNKNOWN}` for sources of no known type")
    for prior in names.values():
        known = prior.later is None or slug(prior.later[1]) in names
        types.at(prior.name).require(known, f"later.type {prior.later and prior.later[1]!r} is not one of the types")
    return Priors(names, publishers)


def _enter(table: dict[str, Prior], names: tuple[str, ...], prior: Prior, entry: Entry) -> None:
    for name in names:
        other = table.setdefault(slug(name), prior)
        entry.require(other is prior, f"the name {name!r} belongs to {other.name} already; keep one")


def _read(name: str, kind: str) -> Entry:
    return Entry.read(SHIPPED / f"{kind}.yaml" if name == "default" else Path(name), f"dataset.provenance.{kind}")


def _prior(key: str, entry: Entry) -> Prior:
    mix = entry.at("evidence").numbers(0, 1e6)
    total = sum(mix.values())
    entry.require(total > 0, "evidence needs at least one kind with a weight above 0")
    trivium = entry.text("trivium")
    entry.require(trivium in TRIVIUM, f"trivium is {trivium!r}; allowed are {', '.join(TRIVIUM)}")
    later = entry.at("later").keys("since type") if "later" in entry.value else None
    return Prior(
        name=key,
        authority=entry.number("authority", 0, MAX_AUTHORITY),
        trivium=trivium,
        evidence={kind: weight / total for kind, weight in mix.items() if weight},
        later=(int(later.number("since", -9999, 9999)), later.text("type")) if later is not None else None,
    )


def _effects(entry: Entry, low: float, high: float) -> Effects:
    return Effects(entry.number("most", low, high), entry.at("words").numbers(low, high))
