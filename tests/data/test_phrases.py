import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.data.phrases import PhraseFinder


@pytest.fixture(scope="module")
def finder() -> PhraseFinder:
    phrases = [
        "WHO",
        "the journal Nature",
        "ministry",
        "peer-reviewed",
        "experts agree",
        "i saw",
        "national institute of health",
    ]
    phrases += ["institute", ".gov", "et al", "i measured"]
    return PhraseFinder(phrases, ["not", "no", "never"], ["not only", "no doubt"], own=["i measured"], repeated=["et al"])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The WHO said so", ["WHO"]),
        ("Those who said so. Who said so?", []),
        ("WHO IS THAT MAN", []),
        ("THE MAN WHO SOLD IT", []),
        ("FDA, WHO and others", ["WHO"]),
        ("WHO", ["WHO"]),
        ("in the journal Nature, and The journal Nature", ["the journal Nature"]),
        ("the journal nature of it", []),
        ("The MINISTRY's reply", ["ministry"]),
        ("administry, ministrya, non-ministry", []),
        ("he left--ministry men", ["ministry"]),
        ("the experts\nagree", ["experts agree"]),
        ("the experts\r\nagree", ["experts agree"]),
        ("see cancer.gov/x", [".gov"]),
        ("the national institute of healthy men", ["institute"]),
        ("Jones et al, Smith et al.", ["et al", "et al"]),
        ("ministry and ministry", ["ministry"]),
        ("In World War I saw much use", []),
        ("When I saw it", ["i saw"]),
        ("DİYARBAKIR: the WHO", ["WHO"]),
    ],
)
def test_phrases_are_read_as_a_reader_reads_them(finder: PhraseFinder, text: str, found: list[str]) -> None:
    assert finder.find(text) == found


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("This was not peer-reviewed", False),
        ("It wasn't ever peer-reviewed", False),
        ("It wasn’t peer-reviewed", False),
        ("(never a peer-reviewed one)", False),
        ("not only peer-reviewed but", True),
        ("no doubt peer-reviewed", True),
        ("It was not cheap, peer-reviewed though", True),
        ("He did not come. Peer-reviewed work", True),
        ("It was not new but peer-reviewed", True),
        ("a knot peer-reviewed", True),
        ("not that it matters much to us here peer-reviewed", True),
    ],
)
def test_a_negation_in_the_clause_undoes_a_phrase(finder: PhraseFinder, text: str, holds: bool) -> None:
    assert (finder.find(text) == ["peer-reviewed"]) is holds


@pytest.mark.parametrize(
    ("text", "holds"),
    [('He wrote: "I measured it."', False), ("“There,” he said, “I measured it”", False), ('"Yes." I measured it', True)],
)
def test_a_quoted_record_is_somebody_elses(finder: PhraseFinder, text: str, holds: bool) -> None:
    assert (finder.find(text) == ["i measured"]) is holds


def test_one_letter_alone_changes_length_in_lower_case() -> None:
    odd = [chr(c) for c in range(sys.maxunicode + 1) if len(chr(c).lower()) != 1]
    assert odd == ["İ"]


@given(st.text(max_size=200))
def test_any_text_is_searched(text: str) -> None:
    finder = PhraseFinder(["a b", "B", "b"], [], [])
    assert set(finder.find(text)) <= {"a b", "B", "b"}


@given(st.text(st.characters(blacklist_characters='"“”'), max_size=80), st.text(max_size=80))
def test_a_phrase_between_full_stops_is_always_found(before: str, after: str) -> None:
    assert "ministry" in PhraseFinder(["ministry"], ["not"], []).find(f"{before}. ministry. {after}")
