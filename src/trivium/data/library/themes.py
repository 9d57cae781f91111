"""Themes: versioned lexicons of keywords by theme, counted in passages, whole words only and each once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from trivium.data.library.wordfinder import WordFinder, forms
from trivium.data.yamlfile import Entry, located
from trivium.scores import lexicon as general

SHIPPED = Path(__file__).parent / "themes"
SETTING = "dataset.library.themes.lexicon"


class Found(NamedTuple):
    """Distinct keywords of a passage: in all, and by the themes that have any. A keyword of two themes counts for both."""

    total: int
    themes: dict[str, int]


NOTHING = Found(0, {})


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Keywords (`colony|colonies` is one with two forms) and anchor sentences by theme."""

    name: str
    version: int
    source: str
    words: Mapping[str, tuple[str, ...]]
    anchors: Mapping[str, tuple[str, ...]]


class Themes:
    """Counts a lexicon's keywords in passages."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        held: dict[str, list[str]] = {}
        for theme, words in lexicon.words.items():
            for word in words:
                themes = held.setdefault(forms(word)[0], [])
                if theme not in themes:
                    themes.append(theme)
        written = {forms(word)[0]: word for words in lexicon.words.values() for word in words}
        self._finder = WordFinder([written[first] for first in held])
        self._themes = [tuple(themes) for themes in held.values()]

    def find(self, text: str) -> Found:
        """How many distinct keywords stand in a text."""
        found = self._finder.find(text)
        if not found:
            return NOTHING
        counts: dict[str, int] = {}
        for keyword in found:
            for theme in self._themes[keyword]:
                counts[theme] = counts.get(theme, 0) + 1
        return Found(len(found), counts)


def load(name: str) -> Lexicon:
    """The lexicon of a shipped name (`period`, `small_world`) or a YAML file; raises `ConfigError` naming file and key."""
    return _read(*located(name, SHIPPED))


@cache
def _read(path: Path, modified: int) -> Lexicon:
    """`modified` (nanoseconds) is there so that a changed file is read again."""
    entry = Entry.read(path, SETTING).keys("name version source categories", optional="extends")
    categories = entry.at("categories")
    themes = {theme: categories.at(theme).keys("words", optional="anchors") for theme in categories.value}
    words = {theme: inner.phrases("words") for theme, inner in themes.items()}
    anchors = {theme: inner.phrases("anchors", missing=()) for theme, inner in themes.items()}
    for theme, inner in themes.items():
        inner.require(all(forms(word) for word in words[theme]), "words holds one that has no letters")
    if "extends" in entry.value:
        base = load(entry.text("extends"))
        words, anchors = {**base.words, **words}, {**base.anchors, **anchors}
    entry.require(any(words.values()), "the categories hold no words")
    return Lexicon(entry.text("name"), int(entry.number("version", 1, 1e6)), entry.text("source"), words, anchors)


# --- what is wrong with a lexicon ------------------------------------------------------------------------------------


def lint(lexicon: Lexicon) -> list[str]:
    """What is wrong with a lexicon, a sentence each: empty themes, a word twice or within another, and ordinary words."""
    return [*_empty(lexicon), *_twice(lexicon), *_within(lexicon), *_ordinary(lexicon)]


def _placed(lexicon: Lexicon) -> list[tuple[str, str]]:
    return [(form, theme) for theme, words in lexicon.words.items() for word in words for form in forms(word)]


def _empty(lexicon: Lexicon) -> Iterator[str]:
    yield from (f"{theme} is empty" for theme, words in lexicon.words.items() if not words)


def _twice(lexicon: Lexicon) -> Iterator[str]:
    places: dict[str, list[str]] = {}
    for form, theme in _placed(lexicon):
        places.setdefault(form, []).append(theme)
    for form, themes in places.items():
        if len(themes) > 1:
            where = f"in {' and in '.join(dict.fromkeys(themes))}" if len(set(themes)) > 1 else f"twice in {themes[0]}"
            yield f"{form!r} stands {where}"
        if form.endswith("s") and form[:-1] in places:
            yield f"{form!r} is the plural of {form[:-1]!r}, which finds it already"


def _within(lexicon: Lexicon) -> Iterator[str]:
    """A phrase that holds another keyword counts as two."""
    placed = dict(_placed(lexicon))
    for form in placed:
        words = form.split()
        runs = {" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1)} - {form}
        yield from (f"{form!r} holds {inner!r}, so that both count" for inner in sorted(runs & placed.keys()))


def _ordinary(lexicon: Lexicon) -> Iterator[str]:
    idle = general.load("general").idle
    yield from (f"{form!r} of {theme} is an ordinary word" for form, theme in _placed(lexicon) if form in idle)
