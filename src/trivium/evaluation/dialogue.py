"""Multi-turn consistency: conversations of several held-out questions about one work, the model's own answers fed back."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest
from typing import Any

from trivium.evaluation.respondents import Respondent
from trivium.evaluation.style import StyleJudge
from trivium.sample import Message, Sample
from trivium.scores.completion import THINK, Tags, split
from trivium.scores.words import words

Dialogue = list[Sample]
"""The questions of a conversation, in order."""


def dialogues(rows: Sequence[Sample], count: int, turns: int) -> list[Dialogue]:
    """At most `count` conversations of `turns` different questions about one work, taken from the works in turn."""
    works = defaultdict[str, dict[str, Sample]](dict)
    for row in rows:
        works[row.document or row.id].setdefault(row.question, row)
    cut = [list(_cut(list(asked.values()), turns)) for asked in works.values()]
    in_turn = (dialogue for layer in zip_longest(*cut) for dialogue in layer if dialogue)
    return list(islice(in_turn, count))


def hold(
    respondent: Respondent, talks: Sequence[Dialogue], judge: StyleJudge, max_new_tokens: int, tags: Tags = THINK
) -> tuple[dict[str, dict[str, float]], list[dict[str, Any]]]:
    """`multi_turn_consistency`, whether a conversation is in style at every turn; `style_drift`, its last turn less its first;
    and every conversation.
    """
    said: list[list[str]] = [[] for _ in talks]
    for turn in range(max(map(len, talks), default=0)):
        asked = [_upto(talk, answers, turn) for talk, answers in zip(talks, said, strict=True)]
        for answers, text in zip(said, respondent.complete(asked, max_new_tokens), strict=True):
            answers.append(split(text, tags).answer)
    styled = _styled(talks, said, judge)
    names = [f"{talk[0].id} +{len(talk) - 1}" for talk in talks]
    rows = [
        {"id": name, "turns": _shown(*parts)} for name, parts in zip(names, zip(talks, said, styled, strict=True), strict=True)
    ]
    found = {
        "multi_turn_consistency": {name: float(all(turns)) for name, turns in zip(names, styled, strict=True)},
        "style_drift": {name: float(turns[-1]) - float(turns[0]) for name, turns in zip(names, styled, strict=True)},
    }
    return found, rows


def _cut(rows: list[Sample], turns: int) -> Iterator[Dialogue]:
    """Conversations of rows that stand apart, so that questions about one passage do not come together."""
    whole = len(rows) // turns
    yield from (rows[i::whole][:turns] for i in range(whole))


def _upto(talk: Dialogue, answers: Sequence[str], turn: int) -> Sample:
    """The conversation up to the question of a turn, under the system message of its first."""
    first = talk[0].prompt[0]
    messages: list[Message] = [first] if first["role"] == "system" else []
    for question, answer in zip(talk, answers, strict=False):
        messages += [{"role": "user", "content": question.question}, {"role": "assistant", "content": answer}]
    return Sample(id=f"{talk[0].id}/turn {turn}", messages=[*messages, {"role": "user", "content": talk[turn].question}])


def _shown(talk: Dialogue, answers: Sequence[str], styled: Sequence[bool]) -> list[dict[str, Any]]:
    turns = zip(talk, answers, styled, strict=True)
    return [{"question": sample.question, "completion": answer, "in_style": fine} for sample, answer, fine in turns]


def _styled(talks: Sequence[Dialogue], said: Sequence[Sequence[str]], judge: StyleJudge) -> list[list[bool]]:
    """Whether each turn is in style; an answer that was given earlier in the conversation is not."""
    questions = [sample.question for talk in talks for sample in talk]
    answers = [answer for turns in said for answer in turns]
    fine = iter(judge.consistent(questions, answers))
    return [[next(fine) and words(answer) not in map(words, turns[:i]) for i, answer in enumerate(turns)] for turns in said]
