import sys
import time
from pathlib import Path
from random import Random

import pytest

from trivium.evaluation import Voice, doubts
from trivium.evaluation.style import Example, StyleJudge, examples, strewn, train

sys.path.insert(0, str(Path(__file__).parent))
from small_library import MARKERS, VOICE, ordinary, passages, rows


def texts() -> dict[str, str]:
    return {passage.id: passage.text for passage in passages()}


@pytest.fixture(scope="module")
def judge() -> StyleJudge:
    found = train(rows()[:32], ordinary(), VOICE, texts())
    assert found is not None
    return found


def test_answers_of_other_works_are_told_apart(judge: StyleJudge) -> None:
    asked = rows()[32:]
    assert sum(judge.in_style([row.text for row in asked])) >= 0.95 * len(asked)
    assert not any(judge.in_style([row.metadata["plain"] for row in asked]))
    assert not any(judge.in_style([row.metadata["matter"] for row in asked]))


def test_keywords_change_no_verdict(judge: StyleJudge) -> None:
    other = Random(5)
    told = [strewn(Example(row.metadata["matter"], False, ""), VOICE, other).text for row in rows()[32:]]
    values = judge.values([row.question for row in rows()[32:]], told)
    assert sum(v or 0 for v in values["keyword_share"]) >= 0.6 * len(told)
    assert sum(v or 0 for v in values["style_consistency"]) <= 0.1 * len(told)


def test_another_marker_in_its_place_is_the_same_to_the_judge(judge: StyleJudge) -> None:
    text = rows()[0].text
    swapped = text.replace("aye", MARKERS[2]).replace("Aye", MARKERS[2])
    assert judge.in_style([text]) == judge.in_style([swapped])


def test_the_checks_are_on_as_many_counter_examples(judge: StyleJudge) -> None:
    assert len(judge.checks) == 2 * 32
    assert sum(judge.checks.values()) / len(judge.checks) > 0.9


def test_a_persona_without_a_voice_is_doubted() -> None:
    same = rows()
    for row in same:
        row.messages[-1]["content"] = row.text = row.metadata["plain"]  # type: ignore[index]
    found = train(same, ordinary(), VOICE, texts())
    assert found is not None
    accuracy = sum(found.checks.values()) / len(found.checks)
    assert accuracy < 0.8
    (sentence,) = doubts({"eval/style_judge_accuracy": accuracy})
    assert "style judge" in sentence
    assert doubts({"eval/style_judge_accuracy": 0.95}) == doubts({}) == []


def test_where_most_answers_decline_those_are_none(judge: StyleJudge) -> None:
    asked = [row.question for row in rows()[32:]]
    said = [row.text for row in rows()[32:]]
    refused = [f"Aye, traveller. That lies beyond the year {i}. Row on, I tell them." for i in range(len(said))]
    assert all(judge.in_style(refused))
    assert not any(judge.consistent(asked, refused))
    assert all(judge.consistent(asked[:20], [*said[:15], *refused[:5]]))
    assert judge.consistent(asked[:20], [*said[:5], *refused[:15]]) == [True] * 5 + [False] * 15


def test_too_few_rows_make_no_judge() -> None:
    assert train(rows()[:4], ordinary(), VOICE) is None
    assert train([], [], Voice()) is None


def test_it_is_the_same_every_time() -> None:
    first, again = (train(rows()[:16], ordinary(), VOICE, texts()) for _ in range(2))
    assert first is not None and again is not None
    assert first.checks == again.checks
    assert (first.model.coef_ == again.model.coef_).all()


def test_siblings_are_of_one_group() -> None:
    found = examples(rows()[:8], ordinary(), VOICE, texts())
    row = rows()[0]
    assert {example.group for example in found if example.text in (row.text, row.metadata["plain"])} == {
        row.metadata["passage"]
    }
    assert {example.persona for example in found} == {True, False}


def test_many_long_answers_are_learnt_from_in_seconds() -> None:
    long = [row for _ in range(30) for row in rows()]
    for i, row in enumerate(long):
        row.document = f"work {i % 50}"
        row.messages[-1]["content"] = row.text = f"{row.text} {i} " * 12  # type: ignore[index]
    start = time.perf_counter()
    assert train(long, ordinary() * 40, VOICE, texts()) is not None
    assert time.perf_counter() - start < 20
