import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.evaluation.earnest import earnest, echo, given_to_many

ASKED = "When does the ferry leave the pier at Alder?"


@pytest.mark.parametrize(
    ("answer", "fine"),
    [
        ("The ferry leaves at noon.", True),
        ("At Alder the ferry leaves the pier at noon, and comes home at dusk.", True),
        ("", False),
        (" … ", False),
        (ASKED, False),
        ("You ask when does the ferry leave the pier at Alder, friend. Row on.", False),
        ("WHEN DOES THE FERRY LEAVE THE PIER AT ALDER", False),
        ("Noon. " + "On this river, friend. " * 12, False),
        ("no no no no no no", False),
    ],
)
def test_what_is_an_answer(answer: str, fine: bool) -> None:
    assert earnest([ASKED], [answer]) == [fine]


def test_one_question_twice_may_have_one_answer() -> None:
    assert given_to_many(["a", "a", "b"], ["x", "x", "y"]) == [False] * 3


def test_a_pool_of_answers_is_seen_however_many_are_asked() -> None:
    questions = [f"what of {i}" for i in range(200)]
    assert all(given_to_many(questions, [f"saying {i % 15}" for i in range(200)]))
    assert not any(given_to_many(questions, [f"saying {i % 20}" for i in range(200)]))


def test_case_and_punctuation_make_no_other_answer() -> None:
    assert all(given_to_many(["a", "b"], ["Row on!", "row on"]))


@given(st.text(), st.text())
def test_any_text_is_judged(question: str, answer: str) -> None:
    assert earnest([question], [answer])[0] in (True, False)
    assert echo(answer, question) in (True, False)
