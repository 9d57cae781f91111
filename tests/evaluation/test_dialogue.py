import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from trivium.evaluation.dialogue import dialogues, hold
from trivium.evaluation.style import StyleJudge, train
from trivium.sample import Sample

sys.path.insert(0, str(Path(__file__).parent))
from small_library import TOWNS, VOICE, Oracle, Plain, ordinary, rows


@pytest.fixture(scope="module")
def judge() -> StyleJudge:
    found = train(rows()[:32], ordinary(), VOICE)
    assert found is not None
    return found


def test_a_conversation_is_about_one_work_and_asks_nothing_twice() -> None:
    found = dialogues(rows(), 10, 3)
    assert len(found) == 10
    for talk in found:
        assert len({sample.document for sample in talk}) == 1
        assert len({sample.question for sample in talk}) == 3
    assert [talk[0].document for talk in found] == list(TOWNS[:10])


def test_works_with_many_rows_make_several_conversations_and_others_none() -> None:
    assert len(dialogues(rows(), 99, 2)) == 2 * len(TOWNS)
    assert dialogues(rows(), 99, 5) == dialogues([], 5, 2) == dialogues(rows(), 0, 2) == []


class Remembers(Oracle):
    """Keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Sample] = []

    def complete(self, samples: Sequence[Sample], max_new_tokens: int) -> list[str]:
        self.shown += samples
        return [f"<think>so</think>{text}" for text in super().complete(samples, max_new_tokens)]


def test_the_models_own_answers_are_fed_back_under_one_system_message(judge: StyleJudge) -> None:
    asked, who = dialogues(rows(), 2, 3), Remembers()
    found, told = hold(who, asked, judge, 20)
    assert set(found["multi_turn_consistency"].values()) == {1.0}
    last = who.shown[-2].messages
    assert last is not None
    assert [turn["role"] for turn in last] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert last[2]["content"] == told[0]["turns"][0]["completion"]
    assert "<think>" not in last[2]["content"]


class Fades(Oracle):
    """Is in character in the first turn only."""

    def complete(self, samples: Sequence[Sample], max_new_tokens: int) -> list[str]:
        first = all(len(sample.prompt) <= 2 for sample in samples)
        return (super() if first else Plain()).complete(samples, max_new_tokens)


def test_who_falls_out_of_character_drifts(judge: StyleJudge) -> None:
    found, _ = hold(Fades(), dialogues(rows(), 6, 3), judge, 20)
    assert set(found["multi_turn_consistency"].values()) == {0.0}
    assert set(found["style_drift"].values()) == {-1.0}


class SaysItAgain(Oracle):
    """Gives its first answer to every question of a conversation."""

    def complete(self, samples: Sequence[Sample], max_new_tokens: int) -> list[str]:
        first = super().complete(samples, max_new_tokens)
        said = [[turn["content"] for turn in sample.prompt if turn["role"] == "assistant"] for sample in samples]
        return [(before or [text])[0] for before, text in zip(said, first, strict=True)]


def test_saying_the_same_again_is_no_answer(judge: StyleJudge) -> None:
    found, _ = hold(SaysItAgain(), dialogues(rows(), 12, 3), judge, 20)
    assert set(found["multi_turn_consistency"].values()) == {0.0}
