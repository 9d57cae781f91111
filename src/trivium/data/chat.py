"""Chat formatting: the one place where a chat template is applied, for training, evaluation and export alike."""

from typing import Any, NamedTuple

from trivium.sample import Message, Sample
from trivium.schema import ChatConfig


class Encoded(NamedTuple):
    """A tokenised conversation; `assistant_mask` is 1 on the tokens an assistant wrote (its end-of-turn included)."""

    input_ids: list[int]
    assistant_mask: list[int]


def to_messages(sample: Sample, chat: ChatConfig) -> list[Message]:
    """The conversation of a sample: its own messages, or its text as the answer to `chat.prompt`."""
    if sample.messages:
        return sample.messages
    template = chat.prompt if sample.title else chat.prompt_untitled
    values = {"title": sample.title or "", "source_type": sample.source_type, "year": str(sample.year or "")}
    system: list[Message] = [{"role": "system", "content": chat.system}] if chat.system else []
    return [
        *system,
        {"role": "user", "content": template.format_map(values)},
        {"role": "assistant", "content": sample.text},
    ]


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


def encode(tokenizer: Any, messages: list[Message], max_length: int) -> Encoded:
    """Token ids and assistant mask of a conversation, cut at `max_length` tokens.

    The mask is found from the rendered text, so it works for templates without `{% generation %}`: each assistant turn is
    what the rendering gains over the rendering of the turns before it plus the generation prompt.
    """
    text = render(tokenizer, messages)
    spans = [_assistant_span(tokenizer, messages, i, text) for i, m in enumerate(messages) if m["role"] == "assistant"]
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
