"""One function formats conversations; its mask covers what the assistant wrote, whatever the template."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from trivium.data import chat
from trivium.sample import Message, Sample
from trivium.schema import ChatConfig

TEXT = (
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
    .map(str.strip)
    .filter(bool)
)
TURN = "[{{ m['role'] }}] {{ m['content'] }}\n"
OPEN = "{% if add_generation_prompt %}[assistant] {% endif %}"
PLAIN = "{% for m in messages %}" + TURN + "{% endfor %}" + OPEN
FORGETFUL = "{% for m in messages %}{% if loop.last or m['role'] != 'user' %}" + TURN + "{% endif %}{% endfor %}" + OPEN
"""A template that leaves out earlier user turns, as those of thinking models leave out earlier thoughts."""


@pytest.fixture(scope="module")
def tokenizer(random_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(random_model)


def talk(*contents: str) -> list[Message]:
    return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(contents)]


def assistant_text(tokenizer: Any, messages: list[Message], max_length: int = 100_000) -> str:
    encoded = chat.encode(tokenizer, messages, max_length)
    return str(tokenizer.decode([t for t, on in zip(*encoded, strict=True) if on], skip_special_tokens=True))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(TEXT, min_size=2, max_size=6).filter(lambda turns: len(turns) % 2 == 0))
def test_the_mask_covers_every_assistant_turn_and_nothing_else(tokenizer: Any, turns: list[str]) -> None:
    assert assistant_text(tokenizer, talk(*turns)) == "".join(turns[1::2])


@pytest.mark.parametrize("template", [PLAIN, FORGETFUL])
def test_templates_without_generation_marks(tokenizer: Any, template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer, "chat_template", template)
    found = assistant_text(tokenizer, talk("Which comet?", "The late one.", "Which quarry?", "The deep one."))
    assert "The late one." in found
    assert "The deep one." in found
    assert "Which" not in found


def test_a_prompt_is_the_beginning_of_the_whole_conversation(tokenizer: Any) -> None:
    turns = talk("Which comet?", "The late one.")
    prompt, whole = chat.prompt_ids(tokenizer, turns[:1]), chat.encode(tokenizer, turns, 1000)
    assert whole.input_ids[: len(prompt)] == prompt
    assert whole.assistant_mask == [0] * len(prompt) + [1] * (len(whole.input_ids) - len(prompt))


def test_what_is_too_long_is_cut_and_the_mask_with_it(tokenizer: Any) -> None:
    encoded = chat.encode(tokenizer, talk("Which?", "word " * 200), 30)
    assert len(encoded.input_ids) == len(encoded.assistant_mask) == 30


def test_documents_and_conversations() -> None:
    config = ChatConfig(system="Answer.", prompt="On {title}, {source_type}, {year}?")
    document = Sample(id="a", text="A comet.", title="comets", source_type="letter", year=1911)
    assert [m["content"] for m in chat.to_messages(document, config)] == ["Answer.", "On comets, letter, 1911?", "A comet."]
    untitled = chat.to_messages(Sample(id="b", text="A comet."), ChatConfig())
    assert untitled[0]["content"] == ChatConfig().prompt_untitled
    spoken = talk("Which?", "The late one.")
    assert chat.to_messages(Sample(id="c", messages=spoken), config) == spoken
