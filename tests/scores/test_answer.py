"""Whether an answer stands in a completion."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.sample import Sample
from trivium.scores.answer import degenerate, exact, f1
from trivium.scores.completion import split

WORDS = st.text(alphabet="abcdefgh", min_size=1, max_size=6)


@given(WORDS, st.lists(WORDS, max_size=4), st.lists(WORDS, max_size=4))
def test_an_answer_among_other_words_is_found_whatever_its_case_and_spacing(
    answer: str, before: list[str], after: list[str]
) -> None:
    completion = "  ".join([*(f"x{w}" for w in before), answer.upper(), *(f"y{w}" for w in after)])
    assert exact(completion, answer) == 1.0
    assert exact(completion, answer, [answer]) == 0.0


@given(WORDS, WORDS)
def test_a_part_of_a_word_is_no_answer(answer: str, more: str) -> None:
    assert exact(f"{answer}{more}z", answer) == 0.0
    assert exact(f"z{more}{answer}", answer) == 0.0


@pytest.mark.parametrize("completion", ["", "   ", "\n", "no " * 24, "yes yes yes yes yes 412 kelvin"])
def test_empty_and_degenerate_completions_state_nothing(completion: str) -> None:
    assert exact(completion, "412 kelvin") == 0.0


def test_a_repeated_word_is_degenerate_only_in_a_run() -> None:
    assert degenerate("the the the the the")
    assert not degenerate("the cat saw the dog and the dog saw the cat")


def test_every_distractor_spoils_the_answer() -> None:
    assert exact("412 kelvin, some say 333 kelvin", "412 kelvin", ["333 kelvin"]) == 0.0
    assert exact("412 kelvin, not far from 1333 kelvin", "412 kelvin", ["333 kelvin"]) == 1.0


@pytest.mark.parametrize(
    ("text", "reference", "value"),
    [
        ("The copper.", "copper", 1.0),
        ("Copper wire", "a copper", 2 / 3),
        ("wax wax wax", "wax", 0.5),
        ("glass", "copper", 0.0),
        ("", "copper", 0.0),
        ("<think>copper</think>glass", "copper", 0.0),
        ("copper", " ", None),
    ],
)
def test_f1_is_that_of_words(text: str, reference: str, value: float | None) -> None:
    sample = Sample(id="1", messages=[{"role": "assistant", "content": reference}])
    assert f1(split(text), sample) == (None if value is None else pytest.approx(value))
