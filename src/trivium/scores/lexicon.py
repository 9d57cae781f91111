"""Lexicons of the scores: versioned YAML files of phrases by category, matched on word boundaries, replaceable per domain."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

from trivium.data.phrases import PhraseFinder
from trivium.data.yamlfile import Entry, located
from trivium.errors import ConfigError

SHIPPED = Path(__file__).parent / "lexicons"


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Phrases by category.

    `opposed` names pairs of categories whose phrases speak for opposite things: no phrase may stand in both.
    """

    name: str
    version: int
    source: str
    categories: Mapping[str, tuple[str, ...]]
    opposed: tuple[tuple[str, str], ...] = ()

    def of(self, category: str) -> tuple[str, ...]:
        """The phrases of a category; raises `ConfigError` where the lexicon has none of that name."""
        if category not in self.categories:
            known = ", ".join(sorted(self.categories))
            raise ConfigError(
                f"lexicon {self.name} has no category {category}, which this score reads; it has {known}; "
                "add the category, or write `extends: general` to take the missing ones from there."
            )
        return self.categories[category]

    def find(self, text: str, *categories: str, negatable: bool = True, own: bool = False) -> list[str]:
        """The phrases of some categories in a text, as often as they stand, of overlapping ones the longest.

        A negated phrase does not count where it is `negatable`, nor a quoted one where only the text's `own` voice does.
        """
        return _finder(self, categories, negatable, own).find(text.replace("’", "'"))

    def words(self, category: str) -> frozenset[str]:
        """The phrases of a category as a set in lower case."""
        return _words(self, category)

    @property
    def idle(self) -> frozenset[str]:
        """Words that fit any subject: function words and generic ones."""
        return _idle(self)


def load(name: str) -> Lexicon:
    """The lexicon of a shipped name (`general`, `small_world`) or a YAML file; raises `ConfigError` naming file and key."""
    return _read(*located(name, SHIPPED))


def lint(lexicon: Lexicon) -> list[str]:
    """What is wrong with a lexicon, a sentence each: empty categories, duplicates, and phrases that work against each other.

    Two phrases do so when they belong to opposed categories and are the same, or one stands within the other.
    """
    problems = [f"{category} is empty" for category, phrases in lexicon.categories.items() if not phrases]
    for category, phrases in lexicon.categories.items():
        lowers = [phrase.lower() for phrase in phrases]
        problems += [f"{category} holds {phrase!r} twice" for phrase in sorted({p for p in lowers if lowers.count(p) > 1})]
    for one, other in lexicon.opposed:
        problems += _conflicts(lexicon, one, other)
        problems += _conflicts(lexicon, other, one, same=False)
    return problems


def _conflicts(lexicon: Lexicon, outer: str, inner: str, same: bool = True) -> Iterator[str]:
    inners = {phrase.lower() for phrase in lexicon.of(inner)}
    for phrase in lexicon.of(outer):
        words = phrase.lower().split()
        runs = {" ".join(words[i:j]) for i, j in combinations(range(len(words) + 1), 2)}
        for found in sorted(runs & inners):
            if found != phrase.lower():
                yield f"{phrase!r} of {outer} holds {found!r} of {inner}"
            elif same:
                yield f"{phrase!r} stands in {outer} and in {inner}, which are opposed"


@cache
def _read(path: Path, modified: int) -> Lexicon:
    """`modified` (nanoseconds) is there so that a changed file is read again."""
    entry = Entry.read(path, "lexicon").keys("name version source categories", optional="extends opposed")
    inherited = load(entry.text("extends")) if "extends" in entry.value else None
    listed = entry.at("categories")
    categories = {category: listed.phrases(category) for category in listed.value}
    opposed = tuple(_pair(entry, pair) for pair in entry.value.get("opposed", ()))
    if inherited is not None:
        categories, opposed = {**inherited.categories, **categories}, (*inherited.opposed, *opposed)
    for category in (name for pair in opposed for name in pair):
        entry.require(category in categories, f"opposed names {category}, which is not one of the categories")
    return Lexicon(entry.text("name"), int(entry.number("version", 1, 1e6)), entry.text("source"), categories, opposed)


def _pair(entry: Entry, pair: object) -> tuple[str, str]:
    names = pair if isinstance(pair, list) else []
    fine = len(names) == 2 and all(isinstance(name, str) for name in names)
    entry.require(fine, f"opposed holds {pair!r}; write pairs of categories, for example [hedges, confident]")
    return str(names[0]), str(names[1])


@cache
def _finder(lexicon: Lexicon, categories: Sequence[str], negatable: bool, own: bool) -> PhraseFinder:
    phrases = [phrase for category in categories for phrase in lexicon.of(category)]
    negations = lexicon.of("negations") if negatable else ()
    affirmations = lexicon.of("affirmations") if negatable else ()
    return PhraseFinder(phrases, negations, affirmations, own=phrases if own else (), repeated=phrases)


@cache
def _idle(lexicon: Lexicon) -> frozenset[str]:
    return lexicon.words("function_words") | lexicon.words("generic")


@cache
def _words(lexicon: Lexicon, category: str) -> frozenset[str]:
    return frozenset(phrase.lower() for phrase in lexicon.of(category))
