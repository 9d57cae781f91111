"""Which questions belong together, and which only look alike."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.data.questions.groups import groups, near_equal
from trivium.sample import Sample

OTHERS = [
    "Who wrote the oldest book on tide mills?",
    "When did the observatory of Linden open its doors?",
    "Explain what keeps a suspension bridge from swinging.",
    "How is salt won from the sea?",
    "Name three uses of birch bark.",
    "What does a harbour pilot do?",
    "Is the moon the only cause of the tides?",
    "Which woods are used for mill wheels, and why?",
]


def ask(question: str, answer: str | None = None, document: str = "") -> Sample:
    turns = [{"role": "user", "content": question}]
    turns += [] if answer is None else [{"role": "assistant", "content": answer}]
    return Sample(id=question, messages=turns, document=document or f"{question}{answer}")


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("How deep is the harbour of Carrick?", "how deep is the harbour of carrick", True),
        ("How deep is the harbour of Carrick?", "Please: how deep is the harbour of Carrick?", True),
        ("How deep is the harbour of Carrick?", "How deep is the quarry of Moor?", False),
        ("空はなぜ青いのですか。", "空は、なぜ青いのですか?", True),
        ("空はなぜ青いのですか。", "海の水はどうして塩からいの。", False),
    ],
)
def test_near_equal(one: str, other: str, near: bool) -> None:
    assert bool(list(near_equal([*OTHERS, one, other]))) is near


def test_questions_of_one_template_are_not_near_equal() -> None:
    asked = [
        f"What does the almanac of {place} say about the height of the tide in the {ordinal} month of the year {year}?"
        for place, ordinal, year in product(("Linden", "Carrick", "Moor"), ("first", "sixth"), range(1800, 1810))
    ]
    assert not list(near_equal(asked))


def test_what_ties_questions_together() -> None:
    long = "It fills its pond at high water and lets it out over a wheel at low water."
    samples = [
        ask(OTHERS[0], "Yes."),
        ask(OTHERS[1], "Yes."),
        ask(OTHERS[2], long),
        ask(OTHERS[3], long.upper()),
        ask(OTHERS[4], document="d"),
        ask(OTHERS[5], document="d"),
        ask(OTHERS[5] + "!", "Much."),
    ]
    assert groups(samples).tolist() == [0, 1, 2, 2, 4, 4, 4]


@given(st.lists(st.tuples(st.sampled_from("abc xyz"), st.sampled_from("uvw")), max_size=12))
def test_groups_are_named_by_their_first_and_closed(rows: list[tuple[str, str]]) -> None:
    samples = [ask(question, document=document) for question, document in rows]
    found = groups(samples).tolist()
    assert all(name <= i and found[name] == name for i, name in enumerate(found))
    for i, one in enumerate(rows):
        for j, other in enumerate(rows):
            if one[1] == other[1] or (one[0] == other[0] != " "):
                assert found[i] == found[j]
