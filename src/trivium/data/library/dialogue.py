"""Conversations of several turns, joined from rows about one work, so that the voice is learnt to last."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from trivium.sample import Sample
from trivium.schema import DialogueConfig


def joined(rows: Sequence[Sample], config: DialogueConfig, rng: np.random.Generator) -> list[Sample]:
    """The rows, `share` of them joined into conversations of at most `turns` questions under one system message.

    A row that finds no partner in its work stays alone.
    """
    chosen = rng.random(len(rows)) < config.share
    alone = [row for row, taken in zip(rows, chosen, strict=True) if not taken]
    groups: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for row, taken in zip(rows, chosen, strict=True):
        if taken:
            groups[row.document, _system(row)].append(row)
    for group in groups.values():
        rest = iter(group)
        while talk := list(islice(rest, config.turns)):
            alone.append(_talk(talk))
    return alone


def _talk(rows: list[Sample]) -> Sample:
    first, *more = rows
    turns = [*(first.messages or []), *(turn for row in more for turn in (row.messages or []) if turn["role"] != "system")]
    last = rows[-1]
    return replace(first, id="+".join([first.id, *map(str, range(1, len(rows)))]), text=last.text, messages=turns)


def _system(row: Sample) -> str:
    turns = row.messages or []
    return turns[0]["content"] if turns and turns[0]["role"] == "system" else ""
