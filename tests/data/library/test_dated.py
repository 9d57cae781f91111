"""Dated facts: days and years, the last day of a period, files with mistakes in them."""

import datetime
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.data.library import dated
from trivium.data.library.dated import DatedFact, day_of
from trivium.errors import ConfigError

WORDS = st.text(min_size=1, max_size=20)
FACTS = st.builds(
    DatedFact,
    question=WORDS,
    answer=WORDS,
    date=st.dates().map(str),
    accept=st.lists(WORDS, min_size=1, max_size=3).map(tuple),
    others=st.lists(WORDS, max_size=3).map(tuple),
    paraphrases=st.lists(WORDS, max_size=2).map(tuple),
    tricks=st.lists(WORDS, max_size=2).map(tuple),
    group=WORDS,
)
ENTRY = "question: Who kept the mill?\n    answer: Lind kept the mill.\n    accept: [Lind]"


def written(path: Path, *facts: str) -> Path:
    listed = "".join(f"\n  - {fact}" for fact in facts)
    path.write_text(f"name: mill\nversion: 1\nsource: made up\nfacts:{listed}\n", encoding="utf-8")
    return path


@given(st.dates())
def test_a_date_is_itself_and_a_year_its_first_or_last_day(day: datetime.date) -> None:
    assert day_of(str(day)) == day_of(str(day), last=True) == day
    year = f"{day.year:04d}"
    assert day_of(year) <= day <= day_of(year, last=True)
    assert (day_of(year).month, day_of(year, last=True).month) == (1, 12)


@pytest.mark.parametrize(
    "text", ["", "69", "1869-1", "1869-13-01", "1869-02-30", "May 1869", "0000", "1869-01-01T00:00", "-1869"]
)
def test_anything_else_is_no_date(text: str) -> None:
    with pytest.raises(ValueError):
        day_of(text)


def test_the_last_day_of_a_period_still_belongs_to_it() -> None:
    last = day_of("1869", last=True)
    known = [DatedFact("?", "!", date, ("!",)).known_by(last) for date in ("1869", "1869-12-31", "1870", "1870-01-01")]
    assert known == [True, True, False, False]


@given(st.lists(FACTS, max_size=4), st.dates())
def test_facts_go_through_json_unchanged(
    tmp_path_factory: pytest.TempPathFactory, facts: list[DatedFact], day: datetime.date
) -> None:
    path = tmp_path_factory.mktemp("period") / "period.json"
    path.write_text(json.dumps({"cutoff": day.isoformat(), "facts": [fact.to_dict() for fact in facts]}), encoding="utf-8")
    assert dated.saved(path) == (day, facts)


def test_a_file_of_facts_is_read_whole(tmp_path: Path) -> None:
    more = "others: [Weir]\n    paraphrases: [The mill had whom?]\n    tricks: [Who kept it in 1700?]\n    group: mill"
    path = written(tmp_path / "f.yaml", f"{ENTRY}\n    date: 1850\n    {more}", f"{ENTRY}\n    date: '1851-03-04'")
    first, second = dated.load(path, "a.key")
    assert first == DatedFact(
        *("Who kept the mill?", "Lind kept the mill.", "1850", ("Lind",), ("Weir",)),
        *(("The mill had whom?",), ("Who kept it in 1700?",), "mill"),
    )
    assert (second.date, second.others, second.tricks) == ("1851-03-04", (), ())
    assert second.group == second.question, "facts without a group stand alone"


def test_a_date_that_yaml_reads_as_a_date_is_one(tmp_path: Path) -> None:
    (fact,) = dated.load(written(tmp_path / "f.yaml", f"{ENTRY}\n    date: 1851-03-04"), "a.key")
    assert fact.date == "1851-03-04"


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        (f"{ENTRY}\n    date: spring", "facts[1]: date: 'spring' is no year or date"),
        (f"{ENTRY}\n    date: 18690", "facts[1]: date: '18690'"),
        (ENTRY, "facts[1]: the key date is missing"),
        (f"{ENTRY}\n    date: 1850\n    hint: none", "facts[1]: unknown key hint"),
        ("question: ''\n    answer: b\n    accept: [b]\n    date: 1850", "facts[1]: question is ''"),
        ("question: a\n    answer: b\n    accept: []\n    date: 1850", "facts[1]: accept"),
        ("question: a\n    answer: b\n    accept: b\n    date: 1850", "facts[1]: accept"),
        ("just words", "facts[1]: expected `key: value` pairs"),
    ],
)
def test_a_mistake_is_named_with_file_and_place(tmp_path: Path, fact: str, said: str) -> None:
    path = written(tmp_path / "f.yaml", f"{ENTRY}\n    date: 1850", fact)
    with pytest.raises(ConfigError) as caught:
        dated.load(path, "a.key")
    (problem,) = caught.value.problems
    assert problem.startswith(str(path)) and said in problem


def test_a_file_that_is_not_there_is_named_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a\.key: .*none\.yaml cannot be read"):
        dated.load(tmp_path / "none.yaml", "a.key")
