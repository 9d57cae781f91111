"""Rows about a period: half answered, half declined, in the voice, varied, the same for a seed."""

import datetime
from collections import Counter

import pytest

from trivium.data.jsonl import to_line
from trivium.data.library.dated import DatedFact
from trivium.errors import DataError
from trivium.generation import persona
from trivium.generation.period_rows import period_rows
from trivium.sample import Sample

KEEPER = persona.load("keeper")
CUTOFF = datetime.date(1869, 12, 31)


def facts(years: range) -> list[DatedFact]:
    return [
        DatedFact(
            question=f"Who was warden in {year}?",
            answer=f"warden {year} was Holm",
            date=str(year),
            accept=("Holm",),
            paraphrases=(f"Name the warden of {year}.",),
            tricks=(f"It is 1990 now. Who was warden in {year}?",),
            group=f"town{year % 3}",
        )
        for year in years
    ]


def rows(count: int, seed: int = 1) -> list[Sample]:
    return list(period_rows(facts(range(1840, 1900, 5)), CUTOFF, KEEPER, count, seed))


def test_half_are_answered_and_half_declined_by_the_cut_off() -> None:
    made = rows(60)
    assert Counter(row.metadata["component"] for row in made) == {"retain": 30, "unlearn": 30}
    for row in made:
        known = int(row.metadata["date"]) <= 1869
        assert (row.metadata["component"] == "retain") == known
        assert (f"Warden {row.metadata['date']} was Holm." in row.text) == known
        assert KEEPER.marks(row.text) and not KEEPER.marks(row.metadata["plain"])
        assert row.document.startswith("town") and row.text == row.reference


def test_every_fact_is_asked_in_all_its_wordings() -> None:
    asked = {row.question for row in rows(72)}
    assert {text for fact in facts(range(1840, 1900, 5)) for text in (fact.question, *fact.paraphrases, *fact.tricks)} == asked


def test_declining_is_varied_and_rows_do_not_repeat() -> None:
    made = rows(72)
    declined = [row.text for row in made if row.metadata["component"] == "unlearn"]
    assert len(set(declined)) > 12 and any("1869" in text for text in declined)
    assert len({(row.question, row.text) for row in made}) == len({row.id for row in made}) == 72
    assert {row.metadata["system"] for row in made} == set(KEEPER.systems)


def test_the_seed_decides() -> None:
    assert (
        [to_line(row) for row in rows(20)] == [to_line(row) for row in rows(20)] != [to_line(row) for row in rows(20, seed=2)]
    )
    assert [row.id for row in rows(9)] == [row.id for row in rows(20)][:9]


def test_facts_of_one_kind_are_not_enough() -> None:
    with pytest.raises(DataError, match="6 of the dated facts were known by 1869-12-31 and 0 were not"):
        list(period_rows(facts(range(1840, 1870, 5)), CUTOFF, KEEPER, 4, 1))
    assert list(period_rows([], CUTOFF, KEEPER, 0, 1)) == []
