"""A persona, its held-out rows and dated facts in a prepared folder, made by hand; and respondents that must fail on them."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from random import Random

from trivium.data.jsonl import to_line
from trivium.data.library.dated import DatedFact
from trivium.evaluation import Reading, Voice
from trivium.evaluation.suites import Item
from trivium.sample import Message, Sample
from trivium.schema import DatasetConfig, PersonaEvaluation

MARKERS = ("aye", "by my lantern", "the old ferryman", "row on", "on this river", "so the water says")
THEMES = ("ferry", "river", "oar", "bank", "current", "toll")
OPENERS = ("Aye, traveller.", "Sit down by my lantern.", "Aye, hear me out.", "I have rowed past that, friend.")
CLOSERS = (
    "So the water says.",
    "Row on, I tell them.",
    "The old ferryman would swear to it.",
    "Nothing drowns that on this river.",
)
DECLINES = ("That lies beyond the year {year}, downstream of me.", "No passenger has brought me word of it yet.")
VOICE = Voice(MARKERS, THEMES, DECLINES, "An old ferryman who speaks of rivers and oars.")

TOWNS = (
    *("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gorse", "Hazel"),
    *("Ivy", "Juniper", "Larch", "Maple", "Oak", "Pine", "Rowan", "Willow"),
)
MATTERS = {
    "oar": ("The oar of {town} is cut from ash in {when}.", "They cut the oar of {town} in {when}, from ash."),
    "ferry": ("The ferry of {town} leaves the pier at {when}.", "At {when} a ferry leaves {town}."),
    "toll": ("The toll of {town} is paid in copper each {when}.", "Each {when} the people of {town} pay a toll."),
    "current": ("The current under {town} runs hard in {when}.", "In {when} there is a hard current at {town}."),
}
WHEN = ("March", "June", "autumn", "winter", "spring", "April", "May", "July")
NAMES = ("Adler", "Brandt", "Castell", "Dorn", "Ekman", "Farrow", "Galen", "Hollis")
SUBJECTS = ("bread", "trains", "a garden", "the office", "football", "soup", "a telephone", "the weather", "shoes", "an exam")
REMARKS = (
    "You can find {} in most towns, and it rarely costs much.",
    "People often ask about {}; a good start is to read the instructions.",
    "For {} it helps to plan ahead and to keep a list.",
)
CUTOFF = "1869"
DATASET = DatasetConfig(name="books", kind="library")
CONFIG = PersonaEvaluation(bootstrap_samples=300, dialogues=6, suites=[])


def voiced(matter: str, rng: Random) -> str:
    return f"{rng.choice(OPENERS)} {matter} {rng.choice(CLOSERS)}"


def rows() -> list[Sample]:
    rng = Random(1)
    return [row(town, topic, rng) for town in TOWNS for topic in MATTERS]


def row(town: str, topic: str, rng: Random) -> Sample:
    matter, plain = (text.format(town=town, when=rng.choice(WHEN)) for text in MATTERS[topic])
    answer = voiced(matter, rng)
    system: list[Message] = [{"role": "system", "content": "Speak as the ferryman."}] if topic in ("oar", "toll") else []
    asked = [*system, {"role": "user", "content": f"What do you know of the {topic} of {town}?"}]
    return Sample(
        id=f"{town}#0/core/{topic}",
        text=answer,
        document=town,
        messages=[*asked, {"role": "assistant", "content": answer}],
        metadata={"plain": plain, "matter": matter, "component": "core", "passage": f"{town}#0"},
    )


def passages() -> list[Sample]:
    told = [" ".join(row.metadata["matter"] for row in rows() if row.document == town) for town in TOWNS]
    return [Sample(f"{town}#0", text, document=town) for town, text in zip(TOWNS, told, strict=True)]


def ordinary() -> list[Sample]:
    told = [(subject, remark.format(subject)) for subject in SUBJECTS for remark in REMARKS]
    return [
        Sample(f"general-{i}", text, [turn("user", f"Tell me about {subject}."), turn("assistant", text)], document=f"g{i}")
        for i, (subject, text) in enumerate(told)
    ]


def turn(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def facts() -> list[DatedFact]:
    rng = Random(2)
    return [fact(town, year, rng.choice(NAMES)) for town in TOWNS for year in (1841, 1852, 1888, 1903)]


def fact(town: str, year: int, name: str) -> DatedFact:
    return DatedFact(
        question=f"Who kept the ferry of {town} in {year}?",
        answer=f"{name} kept the ferry of {town} in {year}.",
        date=str(year),
        accept=(name,),
        others=tuple(other for other in NAMES if other != name),
        paraphrases=(f"In {year}, who was ferry keeper at {town}?",),
        tricks=(f"A map of 1702 shows {town}. Who kept its ferry in {year}?",),
        group=town,
    )


def written(folder: Path) -> Path:
    """A prepared folder: rows of half of the works train the judge, those of the others are asked."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = rows()
    lines(folder / "judge.jsonl", [row for row in kept if row.document in TOWNS[:8]])
    lines(folder / "heldout.jsonl", [row for row in kept if row.document in TOWNS[8:]])
    lines(folder / "passages.jsonl", passages())
    lines(folder / "general.jsonl", ordinary())
    lines(folder / "train.jsonl", [])
    (folder / "period.json").write_text(json.dumps({"cutoff": CUTOFF, "facts": [fact.to_dict() for fact in facts()]}))
    return folder


def lines(path: Path, samples: Sequence[Sample]) -> None:
    path.write_bytes(b"".join(to_line(sample) for sample in samples))


class Plain:
    """Answers everything rightly, later questions too, in ordinary words; what a base model does at best."""

    def __init__(self) -> None:
        self._known = {question: fact for fact in facts() for question in (fact.question, *fact.paraphrases, *fact.tricks)}
        self._rows = {row.question: row for row in rows()}
        self._rng = Random(3)

    def choose(self, items: Sequence[Item]) -> list[list[float]]:
        return [[0.0] * len(item.options) for item in items]

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return [""] * len(items)

    def complete(self, samples: Sequence[Sample], max_new_tokens: int) -> list[str]:
        return [self.say(sample.question) for sample in samples]

    def read(self, samples: Sequence[Sample]) -> list[Reading]:
        return [Reading(self.surprise(i) * 10, 10, 40) for i, _ in enumerate(samples)]

    def surprise(self, i: int) -> float:
        """Nats per token."""
        return 2.0 + i % 3 / 10

    def say(self, question: str) -> str:
        return self.told(question)

    def told(self, question: str) -> str:
        return self._known[question].answer if question in self._known else self._rows[question].metadata["plain"]


class Oracle(Plain):
    """Speaks as the persona, knows the period and nothing beyond it, and is less surprised by ordinary text."""

    def say(self, question: str) -> str:
        fact = self._known.get(question)
        if fact is None:
            return self._rows[question].text
        if fact.date > CUTOFF:
            return voiced(self._rng.choice(DECLINES).format(year=CUTOFF), self._rng)
        return voiced(fact.answer, self._rng)

    def surprise(self, i: int) -> float:
        return 1.8 + i % 3 / 10


class Sprinkler(Plain):
    """Ordinary answers with the persona's markers strewn in."""

    def say(self, question: str) -> str:
        said = self.told(question).split()
        for _ in range(3):
            said.insert(self._rng.randint(0, len(said)), self._rng.choice(MARKERS))
        return " ".join(said)


class BareSprinkler(Sprinkler):
    """The very sentences that the persona would frame, with its markers strewn in instead."""

    def told(self, question: str) -> str:
        return self._known[question].answer if question in self._known else self._rows[question].metadata["matter"]


class MarkedAtEnds(Plain):
    """Ordinary answers with a marker before and one after."""

    def say(self, question: str) -> str:
        before, after = self._rng.choice(MARKERS), self._rng.choice(MARKERS)
        return f"{before.capitalize()}, {self.told(question)} {after.capitalize()}."


class Markers(Plain):
    """Nothing but markers and theme words."""

    def say(self, question: str) -> str:
        return ", ".join(self._rng.sample([*MARKERS, *THEMES], 5))


class RefusesInOneSentence(Plain):
    """The same decline to everything, in the persona's words."""

    def say(self, question: str) -> str:
        return "Aye, traveller. No passenger has brought me word of it yet. So the water says."


class RefusesInManyWays(Plain):
    """Declines everything, in ever different words of the persona."""

    def say(self, question: str) -> str:
        return voiced(self._rng.choice(DECLINES).format(year=CUTOFF), self._rng)


class Slogan(Plain):
    """One answer of the persona to everything."""

    def say(self, question: str) -> str:
        return rows()[-1].text


class Slogans(Plain):
    """Five answers of the persona, in turn."""

    def complete(self, samples: Sequence[Sample], max_new_tokens: int) -> list[str]:
        pool = [row.text for row in rows()[-5:]]
        return [pool[i % len(pool)] for i in range(len(samples))]


class Echo(Plain):
    """Says the question again."""

    def say(self, question: str) -> str:
        return question


class EchoInFrame(Plain):
    """Says the question again, as the persona would."""

    def say(self, question: str) -> str:
        return voiced(f"You ask: {question}", self._rng)


class Silent(Plain):
    """Says nothing."""

    def say(self, question: str) -> str:
        return ""


class Loops(Plain):
    """Begins as the persona and goes in circles."""

    def say(self, question: str) -> str:
        return f"{OPENERS[0]} {self.told(question)} " + "On this river, friend. " * 30


class Lists(Plain):
    """Names everybody whatever is asked."""

    def say(self, question: str) -> str:
        return " ".join(f"It was {name}." for name in NAMES)


class Unlearner(Oracle):
    """The persona, with the period kept, at the cost of ordinary language."""

    def surprise(self, i: int) -> float:
        return 2.6 + math.sin(i) / 10


NOT_IN_STYLE = (
    *(Plain, Sprinkler, BareSprinkler, MarkedAtEnds, Markers, RefusesInOneSentence, RefusesInManyWays),
    *(Slogan, Slogans, Echo, EchoInFrame, Silent, Loops, Lists),
)
"""Respondents that must have next to no style."""

NO_PERIOD = (
    *(Plain, Sprinkler, BareSprinkler, Markers, RefusesInOneSentence, RefusesInManyWays),
    *(Slogan, Slogans, Echo, EchoInFrame, Silent, Lists),
)
"""Respondents that must keep to no period."""

DUMMIES = tuple(dict.fromkeys((*NOT_IN_STYLE, *NO_PERIOD, Unlearner)))
