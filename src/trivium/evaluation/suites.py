"""Suites: what is asked and when an answer passes, as data. Shipped ones lie in `suites/`, one's own are YAML files."""

import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trivium.data.library.dated import DatedFact, facts_in
from trivium.data.yamlfile import Entry, located
from trivium.errors import ConfigError

SHIPPED = Path(__file__).parent / "suites"
KINDS = ("choice", "recall", "facts", "period")
LEVELS = ("marginal", "good", "excellent")


@dataclass(frozen=True)
class Option:
    """An answer on offer, with the source that gives it."""

    text: str
    year: int | None = None
    source_type: str = ""


Row = tuple[str, str, list[Option]]
"""Id, question and options of an item, the right option first."""


@dataclass(frozen=True)
class Item:
    """A question; `options` stand in the order shown, `right` is the index of the right one.

    An item of kind facts has none: a right answer states each of `facts` in one of its wordings, and nothing to be avoided.
    """

    id: str
    question: str
    options: tuple[Option, ...] = ()
    right: int = -1
    listed: bool = False
    facts: tuple[tuple[str, ...], ...] = ()
    avoids: tuple[str, ...] = ()

    @property
    def prompt(self) -> str:
        """What the model is asked: the question, with the options where the suite lists them."""
        if not self.listed:
            return self.question
        lines = [f"{chr(ord('A') + i)}. {option.text}" for i, option in enumerate(self.options)]
        return "\n".join([self.question, *lines, "Answer with the text of one option."])

    @property
    def answer(self) -> str:
        """The right option's text."""
        return self.options[self.right].text

    @property
    def wrong(self) -> list[str]:
        """The other options' texts."""
        return [option.text for i, option in enumerate(self.options) if i != self.right]


@dataclass(frozen=True)
class Part:
    """The items behind one metric, and the shares of them that are marginal, good and excellent.

    A part of kind period has dated facts instead, which join those of the prepared data; `real` ones are about the real world.
    """

    metric: str
    kind: str
    thresholds: Mapping[str, float]
    items: tuple[Item, ...] = field(default=())
    stands_for: str | None = None
    dated: tuple[DatedFact, ...] = ()
    real: bool = False


def load(name: str, world: Path | None, seed: int) -> list[Part]:
    """The parts of a suite; those that ask about a world's facts are left out when there is none.

    Raises `ConfigError`, naming the file and the place in it, for a suite that cannot be read.
    """
    suite = Entry.read(located(name, SHIPPED)[0], "evaluation.suites").keys("name version source parts")
    parts = [_part(entry, world, seed) for entry in suite.entries("parts")]
    return [part for part in parts if part is not None]


def require_distinct(parts: Sequence[Part]) -> None:
    """Raise `ConfigError` when two parts measure under one name; those of kind period are measured together."""
    times = Counter(part.metric for part in parts if part.kind != "period")
    if twice := [metric for metric, count in times.items() if count > 1]:
        raise ConfigError(f"evaluation.suites: several parts have the metric {', '.join(twice)}; give each a name of its own.")


def _part(entry: Entry, world: Path | None, seed: int) -> Part | None:
    if entry.value.get("kind") == "period":
        return _period(entry)
    entry.keys("metric kind thresholds", optional="facts items stands_for listed")
    metric = entry.text("metric")
    entry.require(re.fullmatch(r"\w+", metric) is not None, f"metric is {metric!r}; letters, digits and _ make a metric's name")
    kind = entry.one_of("kind", KINDS)
    levels = entry.at("thresholds").keys(" ".join(LEVELS))
    thresholds = levels.numbers(0, 1)
    rising = sorted(thresholds.values()) == [thresholds[level] for level in LEVELS]
    levels.require(rising, f"a better level needs a higher share; order them {' ≤ '.join(LEVELS)}")
    entry.require(("facts" in entry.value) != ("items" in entry.value), "needs items, or facts of a generated world")
    if "facts" in entry.value and world is None:
        return None
    if kind == "facts":
        return Part(metric, kind, thresholds, tuple(_stated(entry, metric)))
    rows = _facts(world, entry.text("facts")) if world and "facts" in entry.value else _rows(entry, metric)
    items = tuple(_items(rows, bool(entry.value.get("listed", False)), seed))
    return Part(metric, kind, thresholds, items, entry.value.get("stands_for"))


def _period(entry: Entry) -> Part:
    """Dated facts; `real` says that they are about the real world."""
    entry.keys("kind items", optional="real")
    real = entry.value.get("real", False)
    entry.require(isinstance(real, bool), f"real is {real!r}; allowed are true and false")
    return Part("period", "period", {}, dated=tuple(facts_in(entry.entries("items"))), real=real)


def _facts(world: Path, kind: str) -> list[Row]:
    """The facts of a kind that the generated world has."""
    facts = json.loads(world.read_text(encoding="utf-8"))["facts"]
    return [
        (fact["id"], fact["question"], [Option(**option) for option in fact["options"]])
        for fact in facts
        if fact["kind"] == kind
    ]


def _rows(entry: Entry, metric: str) -> list[Row]:
    """The items that a suite writes out."""
    return [
        (f"{metric}-{i}", item.keys("question options").text("question"), _options(item))
        for i, item in enumerate(entry.entries("items"))
    ]


def _stated(entry: Entry, metric: str) -> Iterator[Item]:
    """Items whose answers are judged by what they state: each fact a list of wordings, any of which will do."""
    for i, item in enumerate(entry.entries("items")):
        item.keys("question facts", optional="avoids")
        facts = tuple(fact.keys("any").phrases("any") for fact in item.entries("facts"))
        yield Item(f"{metric}-{i}", item.text("question"), facts=facts, avoids=item.phrases("avoids", missing=()))


def _options(item: Entry) -> list[Option]:
    options = []
    for entry in item.entries("options"):
        entry.keys("text", optional="year source_type")
        text = entry.value["text"]
        year = int(entry.number("year", -9999, 9999)) if "year" in entry.value else None
        plain = str(text) if type(text) in (int, float) else entry.text("text")
        options.append(Option(plain, year, str(entry.value.get("source_type", ""))))
    item.require(len({option.text for option in options}) == len(options) > 1, "needs two or more options, all different")
    return options


def _items(rows: list[Row], listed: bool, seed: int) -> Iterator[Item]:
    """Items with their options shuffled; in the data the first option is the right one."""
    for name, question, options in rows:
        order = list(range(len(options)))
        random.Random(f"{seed} {name}").shuffle(order)
        yield Item(name, question, tuple(options[i] for i in order), order.index(0), listed)
