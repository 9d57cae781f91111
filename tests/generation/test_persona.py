"""Personas: the shipped ones hold together, and a file that does not is told by file and key."""

import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from trivium.errors import ConfigError
from trivium.generation import persona
from trivium.generation.frames import anchored, fill, fitting, slots

SHIPPED = sorted(path.stem for path in persona.SHIPPED.glob("*.yaml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_frame_of_a_shipped_persona_speaks_in_its_voice(name: str) -> None:
    who = persona.load(name)
    assert who.name == name and list(persona.lint(who)) == []
    values = dict.fromkeys(("title", "author", "year", "topic", "thing", "sentence", "clause", "answer"), "Brindle")
    told = [frame for part in who.components.values() for frame in part.answers] + [*who.facts, *who.declines]
    for seed, frame in enumerate(told * 8):
        said = who.voiced(frame, values, set(who.metaphors), random.Random(seed))
        assert who.marks(said) and "{" not in said, said


def test_there_are_two_personas_of_which_neither_speaks_as_the_other() -> None:
    assert {"keeper", "correspondent"} <= set(SHIPPED)
    keeper, correspondent = persona.load("keeper"), persona.load("correspondent")
    for one, other in ((keeper, correspondent), (correspondent, keeper)):
        assert not any(one.marks(text) for text in (*other.openers, *other.closers))
    assert "" in keeper.systems.values(), "one variant goes without a system message"


def test_marks_are_distinct_whole_phrases() -> None:
    keeper = persona.load("keeper")
    assert keeper.marks("Aye, aye, hark! The old keeper sleeps.") == ["aye", "hark", "old keeper"]
    assert keeper.marks("The shark layer was harked.") == []


def test_metaphors_are_those_of_the_themes() -> None:
    keeper, drawn = persona.load("keeper"), set()
    for seed in range(60):
        drawn.add(keeper.voiced("{metaphor}", {}, ["sea"], random.Random(seed)))
    assert drawn == {*keeper.metaphors["any"], *keeper.metaphors["sea"]}


@pytest.fixture
def whole() -> dict[str, Any]:
    return dict(yaml.safe_load((persona.SHIPPED / "keeper.yaml").read_text(encoding="utf-8")))


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"openers": []}, "openers is empty"),
    ({"openers": ["Aye.", "aye."]}, "openers holds aye. twice"),
    ({"markers": None}, "markers is None; write a list"),
    ({"markers": ["of the", "aye"]}, "markers: 'of the' occurs in ordinary prose"),
    ({"markers": ["zounds"]}, "none of them occurs in the openers"),
    ({"systems": {}}, "systems: there is no variant"),
    ({"systems": {"a": 3}}, "systems: a is no text"),
    ({"declines": ["After {date}, nothing."]}, "unknown slot date; allowed are closer, metaphor, opener, year"),
    ({"declines": ["After {year"]}, "declines: 'After {year'"),
    ({"facts": ["{opener} {closer}"]}, "lacks the slot answer"),
    (
        {"plain": {"answers": ["Aye: {sentence}"], "facts": ["{answer}"], "declines": ["No."]}},
        "plain.answers: 'Aye: {sentence}'",
    ),
    ({"components": {}}, "components: there is no component"),
    ({"colour": "red"}, "unknown key colour"),
    ({"version": "one"}, "version is 'one'"),
]


@pytest.mark.parametrize(("change", "sentence"), BROKEN)
def test_what_is_wrong_is_told_with_file_and_key(
    tmp_path: Path, whole: dict[str, Any], change: dict[str, Any], sentence: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**whole, **change}), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        persona.load(str(path))
    assert str(path) in str(caught.value) and sentence in str(caught.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"questions": ["Who was {author}?"]}, "components.core: questions all need author or year"),
        ({"questions": ["What of {opener}?"]}, "unknown slot opener"),
        ({"size": 0}, "components.core: size is 0"),
        ({"themes": "sea"}, "components.core: themes is 'sea'"),
        ({"instruction": ""}, "components.core: instruction is ''"),
    ],
)
def test_a_component_is_checked(tmp_path: Path, whole: dict[str, Any], change: dict[str, Any], sentence: str) -> None:
    core = {**whole["components"]["core"], **change}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**whole, "components": {"core": core}}), encoding="utf-8")
    with pytest.raises(ConfigError, match=sentence.replace("(", r"\(")):
        persona.load(str(path))


def test_a_persona_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"dataset.library.persona: .*nobody.yaml cannot be read"):
        persona.load(str(tmp_path / "nobody.yaml"))


def test_frames_are_filled_and_chosen_by_what_is_known() -> None:
    frames = ["In {year}?", "Of {topic} in {title}?", "Of {topic}?"]
    known = {"topic": "sails", "title": "Log {1}"}
    assert fitting(frames, known) == frames[1:]
    assert anchored(frames, known, ["title"]) == frames[1:2] and anchored(frames, {"topic": "x"}, ["title"]) == frames[2:]
    assert fill(frames[1], known) == "Of sails in Log {1}?", "braces in what is filled in stay"
    for odd in ("{}", "{a.b}", "{a!r}", "{a:>3}", "{a", "a}"):
        with pytest.raises(ValueError):
            slots(odd)
