"""Suites: what is asked and when an answer passes, as data. Shipped ones lie in `suites/`, one's own are YAML files."""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trivium.errors import ConfigError

SHIPPED = Path(__file__).parent / "suites"
KINDS = ("choice", "recall")
LEVELS = ("marginal", "good", "excellent")


@dataclass(frozen=True)
class Option:
    """An answer on offer, with the source that gives it."""

    text: str
    year: int | None = None
    source_type: str = ""


@dataclass(frozen=True)
class Item:
    """A question; `options` stand in the order shown, `right` is the index of the right one."""

    id: str
    question: str
    options: tuple[Option, ...]
    right: int
    listed: bool = False

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
    """The items behind one metric, and the shares of them that are marginal, good and excellent."""

    metric: str
    kind: str
    thresholds: Mapping[str, float]
    items: tuple[Item, ...] = field(default=())
    stands_for: str | None = None


def load(name: str, world: Path | None, seed: int) -> list[Part]:
    """The parts of a suite; those that ask about a world's facts are left out when there is none.

    Raises `ConfigError` for a suite that cannot be read.
    """
    import yaml

    path = SHIPPED / f"{name}.yaml" if (SHIPPED / f"{name}.yaml").is_file() else Path(name)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        return [part for entry in data["parts"] if (part := _part(entry, world, seed)) is not None]
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, IndexError) as error:
        raise ConfigError(
            f"evaluation.suites: {path} is not a suite ({type(error).__name__}: {error}); see docs/evaluation.md."
        ) from error


def _part(entry: Mapping[str, Any], world: Path | None, seed: int) -> Part | None:
    if entry["kind"] not in KINDS:
        raise ValueError(f"kind {entry['kind']!r} is not one of {', '.join(KINDS)}")
    if sorted(entry["thresholds"]) != sorted(LEVELS):
        raise ValueError(f"thresholds need {', '.join(LEVELS)}")
    if "facts" in entry:
        if world is None:
            return None
        rows = [fact for fact in json.loads(world.read_text(encoding="utf-8"))["facts"] if fact["kind"] == entry["facts"]]
    else:
        rows = [{"id": f"{entry['metric']}-{i}", **row} for i, row in enumerate(entry["items"])]
    items = tuple(_items(rows, bool(entry.get("listed", False)), seed))
    return Part(entry["metric"], entry["kind"], entry["thresholds"], items, entry.get("stands_for"))


def _items(rows: list[dict[str, Any]], listed: bool, seed: int) -> Iterator[Item]:
    """Items with their options shuffled; in the data the first option is the right one."""
    for row in rows:
        options = [Option(**option) for option in row["options"]]
        if len({option.text for option in options}) < 2:
            raise ValueError(f"item {row['id']} needs two different options")
        order = list(range(len(options)))
        random.Random(f"{seed} {row['id']}").shuffle(order)
        yield Item(row["id"], row["question"], tuple(options[i] for i in order), order.index(0), listed)
