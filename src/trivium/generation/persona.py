"""Personas: who speaks, in which words, and what is asked of them; versioned YAML, read and checked whole."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

from trivium.data.phrases import PhraseFinder
from trivium.data.yamlfile import Entry, located
from trivium.errors import ConfigError
from trivium.generation.frames import fill, pick, slots

SHIPPED = Path(__file__).parent / "personas"
ORDINARY = Path(__file__).parents[1] / "data" / "library" / "ordinary.txt"
"""Everyday modern prose, in which no mark of a voice may occur."""

ANY = "any"
"""The key of metaphors that fit every theme."""

VOICE = frozenset({"opener", "closer", "metaphor"})
"""Slots that the persona fills."""

_SELDOM = frozenset({"author", "year"})
_QUESTION = _SELDOM | {"title", "topic", "thing", "sentence"}
_ANSWER = VOICE | _QUESTION | {"clause"}
_TOLD = VOICE | {"answer"}
_DECLINED = VOICE | {"year"}


@dataclass(frozen=True)
class Component:
    """A part of the mixture: what is asked there, and how it is answered.

    `size` counts rows, None for all that there are; `themes` names those that a passage must have one of, empty for any.
    `instruction` tells a teacher what to write; `questions` and `answers` are the frames of the templates.
    """

    name: str
    size: int | None
    themes: tuple[str, ...]
    questions: tuple[str, ...]
    answers: tuple[str, ...]
    instruction: str


@dataclass(frozen=True)
class Plain:
    """The same answers in ordinary words, for a control without the voice."""

    answers: tuple[str, ...]
    facts: tuple[str, ...]
    declines: tuple[str, ...]


@dataclass(frozen=True)
class Persona:
    """A voice. `systems` are the system messages by name (an empty one is left out of the conversation); `markers` are phrases
    that tell the voice from ordinary prose; `facts` frame an {answer}, `declines` what lies after the {year}.
    """

    name: str
    version: int
    source: str
    description: str
    rules: tuple[str, ...]
    systems: Mapping[str, str]
    markers: tuple[str, ...]
    openers: tuple[str, ...]
    closers: tuple[str, ...]
    metaphors: Mapping[str, tuple[str, ...]]
    facts: tuple[str, ...]
    declines: tuple[str, ...]
    plain: Plain
    components: Mapping[str, Component]

    @cached_property
    def _finder(self) -> PhraseFinder:
        return PhraseFinder(self.markers, (), ())

    def marks(self, text: str) -> list[str]:
        """The distinct markers in a text."""
        return list(dict.fromkeys(self._finder.find(text.replace("’", "'"))))

    def voiced(self, frame: str, values: Mapping[str, str], themes: Collection[str], rng: Random) -> str:
        """A frame filled with the values and with words of the voice; metaphors are those of the themes and of any."""
        metaphors = [text for theme in (ANY, *sorted(themes)) for text in self.metaphors.get(theme, ())]
        drawn = {"opener": pick(self.openers, rng), "closer": pick(self.closers, rng), "metaphor": pick(metaphors, rng)}
        return fill(frame, {**values, **drawn})


def load(name: str) -> Persona:
    """The persona of a shipped name (`keeper`, `correspondent`) or a YAML file; raises `ConfigError` naming file and key."""
    return _read(located(name, SHIPPED)[0])


def _read(path: Path) -> Persona:
    entry = Entry.read(path, "dataset.library.persona").keys(
        "name version source description rules systems markers openers closers metaphors facts declines plain components"
    )
    plain = entry.at("plain").keys("answers facts declines")
    metaphors, components = entry.at("metaphors"), entry.at("components")
    components.require(bool(components.value), "there is no component; write at least one, for example core")
    name = entry.text("name")
    fits = not name.startswith(".") and not set(name) & set("/\\\0\n")
    entry.require(fits, f"name is {name!r}; it names a file: write a word without slashes that does not begin with a dot")
    persona = Persona(
        name=name,
        version=int(entry.number("version", 1, 1e6)),
        source=entry.text("source"),
        description=entry.text("description"),
        rules=_some(entry, "rules"),
        systems=_systems(entry.at("systems")),
        markers=_some(entry, "markers"),
        openers=_some(entry, "openers"),
        closers=_some(entry, "closers"),
        metaphors={theme: _some(metaphors, theme) for theme in metaphors.value},
        facts=_frames(entry, "facts", _TOLD, needed="answer"),
        declines=_frames(entry, "declines", _DECLINED),
        plain=Plain(
            _frames(plain, "answers", _QUESTION, needed="sentence"),
            _frames(plain, "facts", frozenset({"answer"}), needed="answer"),
            _frames(plain, "declines", frozenset({"year"})),
        ),
        components={name: _component(name, components.at(name)) for name in components.value},
    )
    if problems := list(lint(persona)):
        raise ConfigError([f"{path}: {problem}." for problem in problems])
    return persona


def _component(name: str, entry: Entry) -> Component:
    entry.keys("questions answers instruction", optional="size themes")
    size = None if entry.value.get("size") is None else int(entry.number("size", 1, 1e9))
    themes = entry.phrases("themes", missing=())
    questions = _frames(entry, "questions", _QUESTION)
    answers = _frames(entry, "answers", _ANSWER)
    for key, frames in (("questions", questions), ("answers", answers)):
        works = any(not slots(frame) & _SELDOM for frame in frames)
        entry.require(works, f"{key} all need author or year; write one for works of which these are not known")
    return Component(name, size, themes, questions, answers, entry.text("instruction"))


def _systems(entry: Entry) -> dict[str, str]:
    odd = [name for name, text in entry.value.items() if not isinstance(text, str)]
    entry.require(bool(entry.value), "there is no variant; write at least one, which may be an empty text")
    entry.require(not odd, f"{', '.join(odd)} is no text; write the system message, or an empty text for none")
    return {name: text.strip() for name, text in entry.value.items()}


def _some(entry: Entry, key: str) -> tuple[str, ...]:
    phrases = entry.phrases(key)
    entry.require(bool(phrases), f"{key} is empty; write at least one")
    lowers = [phrase.lower() for phrase in phrases]
    twice = sorted({phrase for phrase in lowers if lowers.count(phrase) > 1})
    entry.require(not twice, f"{key} holds {', '.join(twice)} twice")
    return phrases


def _frames(entry: Entry, key: str, allowed: frozenset[str], needed: str = "") -> tuple[str, ...]:
    frames = _some(entry, key)
    for frame in frames:
        try:
            used = slots(frame)
        except ValueError as error:
            raise ConfigError(f"{entry.path}: {entry.place}{'.' if entry.place else ''}{key}: {frame!r}: {error}.") from None
        unknown = ", ".join(sorted(used - allowed))
        known = ", ".join(sorted(allowed))
        entry.require(not unknown, f"{key}: {frame!r} has the unknown slot {unknown}; allowed are {known}")
        entry.require(needed in used or not needed, f"{key}: {frame!r} lacks the slot {needed}")
    return frames


def lint(persona: Persona) -> Iterator[str]:
    """What is wrong with a persona as a whole, a sentence each: ordinary words as markers, a voice without marks."""
    if ORDINARY.is_file():
        for marker in persona.marks(ORDINARY.read_text(encoding="utf-8")):
            yield f"markers: {marker!r} occurs in ordinary prose, so it does not show the voice; choose another"
    voice = (*persona.openers, *persona.closers, *(text for texts in persona.metaphors.values() for text in texts))
    if not any(persona.marks(text) for text in voice):
        yield "markers: none of them occurs in the openers, closers and metaphors; nothing written from them would pass"
    for key in ("answers", "facts", "declines"):
        if marked := [frame for frame in getattr(persona.plain, key) if persona.marks(frame)]:
            yield f"plain.{key}: {marked[0]!r} holds a marker of the voice; write it in ordinary words"
