"""Dated facts: questions with the day from which they can be answered, for retain and unlearn rows and for suites."""

import datetime
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trivium.data.yamlfile import Entry
from trivium.errors import ConfigError

_DATE = re.compile(r"(\d{4})(?:-(\d{2})-(\d{2}))?")


@dataclass(frozen=True)
class DatedFact:
    """A question and its answer.

    `date` is the day (YYYY-MM-DD) or year from which it was known; `accept` lists wordings of which a right answer states one;
    `others` lists candidates of which it states none (empty where the answer is open). `paraphrases` ask the same in other
    words, `tricks` with a misleading date. Facts of one `group` stay on one side of the split.
    """

    question: str
    answer: str
    date: str
    accept: tuple[str, ...]
    others: tuple[str, ...] = ()
    paraphrases: tuple[str, ...] = ()
    tricks: tuple[str, ...] = ()
    group: str = ""

    def known_by(self, cutoff: datetime.date) -> bool:
        """Whether the fact was known on the last day of a period."""
        return day_of(self.date) <= cutoff

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> "DatedFact":
        """The inverse of `to_dict`."""
        lists = ("accept", "others", "paraphrases", "tricks")
        values: dict[str, Any] = {k: tuple(v) if k in lists else v for k, v in row.items()}
        return cls(**values)


def day_of(text: str | int, last: bool = False) -> datetime.date:
    """The first (or last) day that a year or date names. Raises `ValueError` for anything else.

    >>> day_of(1869), day_of("1869", last=True), day_of("1969-07-20")
    (datetime.date(1869, 1, 1), datetime.date(1869, 12, 31), datetime.date(1969, 7, 20))
    """
    found = _DATE.fullmatch(str(text).strip())
    if found is None:
        raise ValueError(f"{text!r} is no year or date; write YYYY or YYYY-MM-DD")
    year, month, day = found.groups()
    return datetime.date(int(year), int(month or (12 if last else 1)), int(day or (31 if last else 1)))


def facts_in(entries: Sequence[Entry]) -> Iterator[DatedFact]:
    """The facts that a YAML file lists; raises `ConfigError` naming file and place."""
    for entry in entries:
        entry.keys("question answer date accept", optional="others paraphrases tricks group")
        date = str(entry.value["date"])
        try:
            day_of(date)
        except ValueError as error:
            raise ConfigError(f"{entry.path}: {entry.place}: date: {error}.") from None
        accept = entry.phrases("accept")
        entry.require(bool(accept), "accept is empty; write at least one wording of a right answer")
        yield DatedFact(
            question=entry.text("question"),
            answer=entry.text("answer"),
            date=date,
            accept=accept,
            others=entry.phrases("others", missing=()),
            paraphrases=entry.phrases("paraphrases", missing=()),
            tricks=entry.phrases("tricks", missing=()),
            group=str(entry.value.get("group", "")) or entry.text("question"),
        )


def load(path: Path, setting: str) -> list[DatedFact]:
    """The dated facts of a YAML file (name, version, source, facts)."""
    whole = Entry.read(path, setting).keys("name version source facts")
    return list(facts_in(whole.entries("facts")))


def saved(path: Path) -> tuple[datetime.date, list[DatedFact]]:
    """Cut-off and facts of a `period.json`."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return day_of(data["cutoff"], last=True), [DatedFact.from_dict(row) for row in data["facts"]]
