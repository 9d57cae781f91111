"""Dates of works and of words: unknown is not accepted by itself, and period prose is not taken for modern."""

import datetime
from pathlib import Path

import pytest

from trivium.data.library import period
from trivium.data.library.dated import day_of
from trivium.data.library.period import Anachronisms, Lexicon, cutoff_of, require_dated
from trivium.data.library.works import Work
from trivium.data.rejects import BadRow
from trivium.errors import ConfigError
from trivium.schema.library import PeriodConfig


def keeps(config: PeriodConfig, year: int | None = None, day: str | None = None) -> bool:
    try:
        require_dated(Work("w", [], year=year, day=None if day is None else day_of(day)), config)
    except BadRow:
        return False
    return True


@pytest.mark.parametrize(
    ("year", "day", "kept"),
    [
        (1968, None, True),
        (1969, None, True),
        (1970, None, False),
        (-350, None, True),
        (None, None, False),
        (1969, "1969-07-20", True),
        (1969, "1969-07-21", False),
    ],
)
def test_works_by_their_date(year: int | None, day: str | None, kept: bool) -> None:
    assert keeps(PeriodConfig(cutoff="1969-07-20"), year, day) is kept


def test_works_without_a_date_are_accepted_only_when_asked_for() -> None:
    assert keeps(PeriodConfig(cutoff="1869", unknown="accept"))
    assert keeps(PeriodConfig(cutoff=None))


def test_a_cutoff_that_is_none_is_named() -> None:
    assert cutoff_of("1869") == datetime.date(1869, 12, 31)
    with pytest.raises(ConfigError, match=r"cutoff.*'yesterday'.*YYYY"):
        cutoff_of("yesterday")


@pytest.mark.parametrize(
    ("text", "year", "found"),
    [
        ("The radar and the transistor, the radars", 1869, ["radar", "transistor"]),
        ("The radar and the transistor", 1945, ["transistor"]),
        ("The RADAR", 1940, []),
        ("radarless", 1869, []),
        ("He sent it\nby email", 1869, ["email"]),
    ],
)
def test_terms_are_found_after_their_year(text: str, year: int, found: list[str]) -> None:
    terms = {"radar": 1940, "transistor": 1948, "email|by email": 1979}
    assert Anachronisms(Lexicon("t", 1, "s", terms)).find(text, year) == found


PERIOD_PROSE = """The clerk put the tablet of wax beside the telegram and drew the blind, for the signal was to come at nine.
An application to the matrix of the mould was based upon the old word; a cloud lay over the opera house, and his friends in
the middle of the hall awaited the computer of the almanac, who brought the tables. The operator had a digital ailment of the
right hand. A crane turned its chip of wood in the air; the net was mended, the web of the spider shone, and a mouse ran over
the keyboard of the piano. The monitor of the class, with his file and his program, saw a virus of envy in every remark."""


def test_words_that_also_were_period_words_are_no_anachronisms() -> None:
    assert period.load("modern").find(PERIOD_PROSE, 1869) == []


MODERN_PROSE = (
    "She watched a video on YouTube and posted the link on Facebook.",
    "The laptop needs a software update before you can go online.",
    "The vaccine against coronavirus was tested in a clinical trial.",
    "The Soviet Union collapsed after the Cold War, and NATO forces stayed.",
    "NASA launched the spacecraft on Tuesday; the astronauts are well.",
    "The supermarket takes credit cards, and there is an air-conditioned cafe.",
    "Climate change threatens biodiversity, the United Nations said.",
    "He heard on television that the football world cup had begun.",
)


@pytest.mark.parametrize("text", MODERN_PROSE)
def test_modern_prose_is_seen(text: str) -> None:
    assert period.load("modern").find(text, 1900)


def test_the_shipped_terms_are_many_and_dated() -> None:
    years = period.load("modern").lexicon.years
    assert len(years) >= 200
    assert all(1800 <= year <= 2030 for year in years.values())


def test_a_bad_lexicon_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("name: x\nversion: 1\nsource: s\nterms: {radar: soon}")
    with pytest.raises(ConfigError, match=r"bad\.yaml: terms: radar is 'soon'"):
        period.load(str(tmp_path / "bad.yaml"))
