"""Reading a teacher's reply: the one object that was asked for, whatever stands around it, and never half of it."""

import json
import re
from typing import Any

from trivium.data.rejects import BadRow
from trivium.generation.rows import Conversation

_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_LONGEST = 100_000
_STARTS = 64
"""Opening braces that are tried."""


def read(text: str) -> Conversation:
    """The question and the answer of a reply; raises `BadRow` for one that is empty or holds no whole object of both.

    >>> read('<think>{}</think>Here: ```json\\n{"question": "Who?", "answer": "I."}\\n```')[:2]
    ('Who?', 'I.')
    """
    told = _THOUGHT.sub("", text[:_LONGEST]).strip()
    if not told:
        raise BadRow("the reply is empty")
    for found in _objects(told):
        question, answer = found.get("question"), found.get("answer")
        if isinstance(question, str) and isinstance(answer, str) and question.strip() and answer.strip():
            return Conversation(_tidy(question), _tidy(answer))
    raise BadRow("the reply holds no question with an answer", repr(told[:80]))


def _objects(text: str) -> list[dict[str, Any]]:
    """The whole JSON objects in a text, outermost first."""
    decoder = json.JSONDecoder(strict=False)
    found = []
    place = text.find("{")
    for _ in range(_STARTS):
        if place < 0:
            break
        try:
            value, end = decoder.raw_decode(text, place)
        except (json.JSONDecodeError, RecursionError):
            end = place + 1
        else:
            found.append(value)
        place = text.find("{", end)
    return found


def _tidy(text: str) -> str:
    """One line; lone surrogates, which no file takes, become spaces."""
    return " ".join(re.sub("[\ud800-\udfff\x00]", " ", text).split())
