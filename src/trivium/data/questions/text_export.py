"""Conversations as plain text, for tools that want one `text` column: ChatML, Qwen's form of it, and Alpaca's headings.

Nothing in a text is escaped: a conversation that holds a format's own marks, or that the format cannot express, is refused.
Thinking stands in the tags of `dataset.chat` before the answer.
"""

import re
from collections.abc import Callable

from trivium.data import chat
from trivium.data.rejects import BadRow
from trivium.sample import Message, Sample
from trivium.schema import ChatConfig
from trivium.scores.completion import joined

START, END = "<|im_start|>", "<|im_end|>"
_HEADING = re.compile(r"^### (Instruction|Response):", re.MULTILINE)

Format = Callable[[Sample, ChatConfig], str]
"""The text of a sample. Raises `BadRow` when it has no reference, or the format cannot hold it."""


def chatml(sample: Sample, config: ChatConfig) -> str:
    """ChatML, thinking right before the answer."""
    _require_reference(sample)
    return _chatml(chat.to_messages(sample, config))


def qwen(sample: Sample, config: ChatConfig) -> str:
    """ChatML as the Qwen3 models lay it out: thinking on lines of its own, a blank line before the answer.

    A conversation without a system message gets none: the default one of older templates is not added.
    """
    answer = _require_reference(sample)
    if sample.thinking is not None:
        answer = joined(f"\n{sample.thinking}\n", f"\n\n{answer}", chat.tags(config))
    return _chatml([*chat.prompt(sample, config), {"role": "assistant", "content": answer}])


def alpaca(sample: Sample, config: ChatConfig) -> str:
    """Alpaca's headings, for one question and its answer; the system message stands in the place of the preamble."""
    _require_reference(sample)
    *before, question, answer = chat.to_messages(sample, config)
    if any(turn["role"] != "system" for turn in before):
        raise BadRow("more turns than the Alpaca format has", "it holds one question and one answer")
    if any(_HEADING.search(turn["content"]) for turn in (*before, question, answer)):
        raise BadRow("text holds marks of the Alpaca format", "### Instruction: or ### Response: at the start of a line")
    preamble = "".join(f"{turn['content']}\n\n" for turn in before)
    return f"{preamble}### Instruction:\n{question['content']}\n\n### Response:\n{answer['content']}"


FORMATS: dict[str, Format] = {"chatml": chatml, "qwen": qwen, "alpaca": alpaca}
"""By the names that `dataset.questions.text_export` takes."""


def _require_reference(sample: Sample) -> str:
    if sample.reference is None:
        raise BadRow("no reference answer to write", "a text needs an answer")
    return sample.reference


def _chatml(turns: list[Message]) -> str:
    if any(mark in turn["content"] for turn in turns for mark in (START, END)):
        raise BadRow("text holds marks of the ChatML format", f"{START} or {END}")
    return "".join(f"{START}{turn['role']}\n{turn['content']}{END}\n" for turn in turns)
