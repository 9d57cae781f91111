"""Chat formatting: the one place where a chat template is applied, for training, evaluation and export alike."""

from collections.abc import Callable
from typing import Any, NamedTuple

from trivium.sample import Message, Sample
from trivium.schema import ChatConfig
from trivium.scores.completion import Completion, Tags, joined, split


class Encoded(NamedTuple):
    """A tokenised conversation; `assistant_mask` is 1 on the tokens an assistant wrote (its end-of-turn included)."""

    input_ids: list[int]
    assistant_mask: list[int]


def to_messages(sample: Sample, chat: ChatConfig) -> list[Message]:
    """The conversation of a sample: its own messages, or its text as the answer to `chat.prompt`."""
    if sample.messages:
        return _asked(sample.messages, chat) if sample.thinking is None else [*prompt(sample, chat), _thought(sample, chat)]
    template = chat.prompt if sample.title else chat.prompt_untitled
    values = {"title": sample.title or "", "source_type": sample.source_type, "year": str(sample.year or "")}
    system: list[Message] = [{"role": "system", "content": chat.system}] if chat.system else []
    return [
        *system,
        {"role": "user", "content": template.format_map(values)},
        {"role": "assistant", "content": sample.text},
    ]


def prompt(sample: Sample, chat: ChatConfig) -> list[Message]:
    """The conversation up to the assistant's last turn, under the configured system message unless it has its own."""
    return _asked(sample.prompt, chat)


def tags(chat: ChatConfig) -> Tags:
    """What opens and closes the thinking part."""
    return Tags(chat.think_open, chat.think_close)


def reader(tokenizer: Any, chat: ChatConfig) -> Callable[[str], Completion]:
    """Reads generated text; where the template opens the thinking part in the prompt, the tag is put back."""
    start = render(tokenizer, question("?", chat), add_generation_prompt=True).rstrip()
    opened, known = chat.think_open if start.endswith(chat.think_open) else "", tags(chat)
    return lambda text: split(opened + text, known)


def _asked(messages: list[Message], chat: ChatConfig) -> list[Message]:
    if chat.system is None or messages[0]["role"] == "system":
        return messages
    return [{"role": "system", "content": chat.system}, *messages]


def _thought(sample: Sample, chat: ChatConfig) -> Message:
    """The reference in the think format."""
    return {"role": "assistant", "content": joined(sample.thinking or "", sample.reference or "", tags(chat))}


def question(text: str, chat: ChatConfig) -> list[Message]:
    """The conversation that asks one thing, with the same system message as in training."""
    system: list[Message] = [{"role": "system", "content": chat.system}] if chat.system else []
    return [*system, {"role": "user", "content": text}]


def render(tokenizer: Any, messages: list[Message], add_generation_prompt: bool = False) -> str:
    """The string that a model sees, by the tokenizer's own chat template."""
    text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=add_generation_prompt)
    return text


def prompt_ids(tokenizer: Any, messages: list[Message]) -> list[int]:
    """Token ids of a conversation that ends where the assistant begins to speak."""
    return _tokens(tokenizer, render(tokenizer, messages, add_generation_prompt=True))


def encode(tokenizer: Any, messages: list[Message], max_length: int, last_only: bool = False) -> Encoded:
    """Token ids and assistant mask of a conversation, cut at `max_length` tokens.

    The mask is found from the rendered text, so it works for templates without `{% generation %}`: each assistant turn is
    what the rendering gains over the rendering of the turns before it plus the generation prompt. With `last_only` it covers
    the last of them alone.
    """
    text = render(tokenizer, messages)
    turns = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
    spans = [_assistant_span(tokenizer, messages, i, text) for i in (turns[-1:] if last_only else turns)]
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    mask = [int(any(lo <= start < hi for lo, hi in spans)) for start, _ in encoded["offset_mapping"]]
    return Encoded(list(encoded["input_ids"][:max_length]), mask[:max_length])


def _assistant_span(tokenizer: Any, messages: list[Message], turn: int, text: str) -> tuple[int, int]:
    """Character span of one assistant turn in the rendered conversation."""
    before = render(tokenizer, messages[:turn], add_generation_prompt=True)
    upto = render(tokenizer, messages[: turn + 1])
    if not (text.startswith(before) and text.startswith(upto)):
        # Some templates drop earlier thinking or add a default system turn; the content itself is then the safe span.
        start = text.find(messages[turn]["content"])
        return (start, start + len(messages[turn]["content"])) if start >= 0 else (0, 0)
    return len(before), len(upto)


def _tokens(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
