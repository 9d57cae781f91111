"""Rows joined into conversations: nothing is lost, nothing is told twice, and no conversation mixes works."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trivium.data.library.dialogue import joined
from trivium.sample import Message, Sample
from trivium.schema import DialogueConfig

CONFIGS = st.builds(DialogueConfig, share=st.floats(0, 1), turns=st.integers(2, 5))


def row(number: int, document: str, system: str) -> Sample:
    said: list[Message] = [{"role": "system", "content": system}] if system else []
    said += [{"role": "user", "content": f"Q{number}"}, {"role": "assistant", "content": f"A{number}"}]
    return Sample(f"{document}#0/core/{number}", f"A{number}", said, document=document)


ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "Be old.", "Be brief."])), max_size=30).map(
    lambda kinds: [row(number, *kind) for number, kind in enumerate(kinds)]
)


def join(rows: Sequence[Sample], config: DialogueConfig) -> list[Sample]:
    return joined(rows, config, np.random.default_rng(5))


def pairs(rows: Sequence[Sample]) -> list[tuple[str, str, str, str]]:
    """Document, system message, question and answer of every turn."""
    found = []
    for one in rows:
        turns = one.messages or []
        system = turns[0]["content"] if turns[0]["role"] == "system" else ""
        spoken = [turn for turn in turns if turn["role"] != "system"]
        assert [turn["role"] for turn in spoken] == ["user", "assistant"] * (len(spoken) // 2)
        asked, answered = spoken[::2], spoken[1::2]
        found += [(one.document, system, q["content"], a["content"]) for q, a in zip(asked, answered, strict=True)]
    return found


@given(ROWS, CONFIGS)
def test_every_turn_is_kept_once_with_its_work_and_system_message(rows: list[Sample], config: DialogueConfig) -> None:
    assert Counter(pairs(join(rows, config))) == Counter(pairs(rows))


@given(ROWS, CONFIGS)
def test_conversations_keep_to_the_length_and_end_with_their_text(rows: list[Sample], config: DialogueConfig) -> None:
    talks = join(rows, config)
    assert len({talk.id for talk in talks}) == len(talks)
    for talk in talks:
        turns = talk.messages or []
        assert sum(turn["role"] == "user" for turn in turns) <= config.turns
        assert sum(turn["role"] == "system" for turn in turns) <= 1
        assert turns[-1]["content"] == talk.text


@given(ROWS)
def test_a_share_of_nothing_joins_nothing_and_of_all_leaves_no_pair_alone(rows: list[Sample]) -> None:
    assert join(rows, DialogueConfig(share=0)) == rows
    talks = join(rows, DialogueConfig(share=1, turns=2))
    alone = Counter((talk.document, pairs([talk])[0][1]) for talk in talks if len(pairs([talk])) == 1)
    assert all(times == 1 for times in alone.values())


def test_the_rows_themselves_are_left_as_they_were() -> None:
    rows = [row(number, "a", "") for number in range(6)]
    before = [one.to_dict() for one in rows]
    talks = join(rows, DialogueConfig(share=1, turns=3))
    assert [len(pairs([talk])) for talk in talks] == [3, 3]
    assert [one.to_dict() for one in rows] == before


def test_the_share_is_that_of_the_rows() -> None:
    rows = [row(number, "a", "") for number in range(2000)]
    talks = join(rows, DialogueConfig(share=0.3, turns=3))
    taken = sum(len(pairs([talk])) for talk in talks if len(pairs([talk])) > 1)
    assert 0.26 < taken / len(rows) < 0.34
