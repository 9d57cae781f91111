import string
import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.data.years import FIRST, LAST, parse_year, stated_year

YEARS = st.integers(1000, LAST)


@pytest.mark.parametrize(
    ("value", "year"),
    [
        (1923.0, 1923),
        ("circa 1900", 1900),
        ("c. 1900", 1900),
        ("c1900", 1900),
        ("[1911?]", 1911),
        ("1923-05-01T10:00:00Z", 1923),
        ("19230501", 1923),
        ("May 3rd, 1921", 1921),
        ("1898-1902", 1898),
        ("vol 123, 1999", 1999),
        ("44 BCE", -44),
        ("79 A.D.", 79),
        (date(1923, 5, 1), 1923),
        ("-350", -350),
    ],
)
def test_years_in_the_spellings_of_catalogues(value: object, year: int) -> None:
    assert parse_year(value) == year


@pytest.mark.parametrize(
    "value", [None, "", "n.d.", True, 0, "0000", 1923.5, float("nan"), float("inf"), 10**400, 12345, "3021", "9999", [], "45"]
)
def test_what_is_no_possible_year_is_none(value: object) -> None:
    assert parse_year(value) is None


@given(YEARS, st.sampled_from(["{}", "circa {}", "c. {}", "{}-05-01", "1 May {}", "({})", "{}?", "ca. {}, London", " {} "]))
def test_every_year_is_read_in_every_spelling(year: int, spelling: str) -> None:
    assert parse_year(spelling.format(year)) == year
    assert parse_year(year) == parse_year(float(year)) == year


@given(st.one_of(st.text(), st.integers(), st.floats(), st.text("0123456789-. bcad", max_size=12), st.binary(), st.none()))
def test_parsing_never_fails_and_stays_in_range(value: object) -> None:
    year = parse_year(value)
    assert year is None or (FIRST <= year <= LAST and year != 0)


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("Copyright (c) 1998-2004 by the authors", 1998),
        ("COPYRIGHT, 1911, BY A. READER", 1911),
        ("A preface.\nPublished by Moor and Co., London, 1911.\nChapter I", 1911),
        ("First published in Great Britain 1907\n", 1907),
        ("Improvement in looms. Application filed May 3, 1921. Serial No. 4", 1921),
        ("Dated this 4th day of May, 1902", 1902),
        ("Friday, January 4, 2019\n\nA building fell.", 2019),
        ("TELOTH, Jan. 4, 2019 (Wire) - A building fell.", 2019),
        ("London, 3rd May, 1911.\nDear Sir", 1911),
        ("2019-01-04 Minutes", 2019),
    ],
)
def test_statements_of_publication_count(text: str, year: int) -> None:
    assert stated_year(text) == year


@pytest.mark.parametrize(
    "text",
    [
        "The war of 1944 was long.",
        "In 1944 the bridge was destroyed; it was published in 1944 by Harper.",
        "The novel, which was\npublished in 1944.",
        "Published in 1944, the novel sold well.",
        "Copyright law of 1976 protects it.",
        "A copyrighted study of the winter of 1944",
        "May 1945 was the month of peace.",
        "On January 4, 2019, he left.",
        "The Battle of the Two Rivers, 1944\nby a historian",
        "1984 people came.",
        "x" * 2001 + "\nCopyright 1911",
    ],
)
def test_a_year_that_is_only_mentioned_does_not(text: str) -> None:
    assert stated_year(text) is None


@pytest.mark.parametrize("text", ["1911 " + "Published A " * 400, "1911 Copyright by " * 300, "1911. Date" + ". A" * 900])
def test_odd_texts_cost_no_time(text: str) -> None:
    started = time.process_time()
    for _ in range(10):
        stated_year(text)
    assert time.process_time() - started < 0.5


@given(st.text(string.printable, max_size=300))
def test_any_text_is_searched(text: str) -> None:
    year = stated_year(text)
    assert year is None or str(year) in text
