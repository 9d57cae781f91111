"""What every export is asked: conversations that a template can get wrong, and prompts from the run's held-out data."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from trivium.data import chat
from trivium.data.jsonl import read_samples
from trivium.export.job import Job
from trivium.sample import Message

_TURNS: tuple[tuple[str, ...], ...] = (
    ("user: Good morning.",),
    ("system: Answer in one sentence.", "user: What is a delta?"),
    ("user: Who wrote it?", "assistant: Nobody knows.", "user: And when?"),
    (
        "system: You keep a ledger.",
        "user: What was sold?",
        "assistant: Wool.",
        "user: To whom?",
        "assistant: A dyer.",
        "user: Why?",
    ),
    ("user: It's 1847; they'd said 'tis 12,345.67 lb — wasn't it?",),
    ("user: Ünïcode: naïve café, Ελλάδα, 北京, 🙂👍🏽, ½, ﬁ",),
    ("user: line one\nline two\n\n    indented\tand tabbed",),
    ('user: if x < 3 && y > 2 { return "{{ .Content }}"; } // {% if %}',),
    ("user: a" + " b" * 40,),
    ("system: Speak plainly.", "user: 1", "assistant: 2", "user: 3"),
)
"""`role: content` of each turn; written so that contractions, digits, blanks, braces and scripts all occur."""


def conversations(tokenizer: Any) -> list[tuple[list[Message], bool]]:
    """Conversations that the tokenizer's own template accepts, each with and without the prompt of a next turn where it ends
    with a user's.
    """
    whole = [list(map(_message, turns)) for turns in _TURNS]
    whole += [[*turns, {"role": "assistant", "content": "So it stands."}] for turns in whole[:4]]
    return [(turns, ask) for turns in whole if _accepted(tokenizer, turns) for ask in _asked(turns)]


def prompts(job: Job, tokenizer: Any, count: int) -> list[list[Message]]:
    """Conversations that wait for an answer: held-out questions spread over the data, filled up with general ones."""
    found = list(_held_out(job))
    spread = [found[i * len(found) // count] for i in range(count)] if len(found) > count else found
    general = (turns for turns, ask in conversations(tokenizer) if ask)
    return [*spread, *islice(general, count - len(spread))]


def _held_out(job: Job) -> Iterator[list[Message]]:
    path = job.prepared / "heldout.jsonl" if job.prepared is not None else None
    if path is not None and path.is_file():
        for sample in read_samples(path):
            turns = chat.to_messages(sample, job.config.dataset.chat)
            if len(turns) > 1 and turns[-1]["role"] == "assistant":
                yield turns[:-1]


def _message(text: str) -> Message:
    role, _, content = text.partition(": ")
    return {"role": role, "content": content}


def _asked(turns: Sequence[Message]) -> tuple[bool, ...]:
    return (False,) if turns[-1]["role"] == "assistant" else (True, False)


def _accepted(tokenizer: Any, turns: list[Message]) -> bool:
    """Whether a template takes these roles; some refuse a system message."""
    from jinja2.exceptions import TemplateError

    try:
        chat.render(tokenizer, turns)
    except TemplateError:
        return False
    return True
