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
from trivium.scores.completion import split
from trivium.scores.format import exact as think_format

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
    assert chat.to_messages(Sample(id="c", messages=spoken), config) == [{"role": "system", "content": "Answer."}, *spoken]


# --- questions with thinking -----------------------------------------------------------------------------------------

PREOPENED = "{% for m in messages %}" + TURN + "{% endfor %}{% if add_generation_prompt %}[assistant] <think>\n{% endif %}"


def asked(**more: Any) -> Sample:
    return Sample(id="q", messages=talk("Which comet?", "The late one."), **more)


def test_a_prompt_ends_with_the_question_and_begins_with_the_system_message() -> None:
    config = ChatConfig(system="Think first.")
    assert chat.prompt(asked(), config) == [
        {"role": "system", "content": "Think first."},
        {"role": "user", "content": "Which comet?"},
    ]
    assert chat.prompt(asked(), ChatConfig()) == talk("Which comet?")


def test_a_conversation_keeps_its_own_system_message() -> None:
    own = Sample(id="q", messages=[{"role": "system", "content": "Own."}, *talk("Which comet?", "The late one.")])
    assert [turn["content"] for turn in chat.prompt(own, ChatConfig(system="Think first."))] == ["Own.", "Which comet?"]


def test_a_conversation_of_several_turns_is_asked_its_last_question() -> None:
    long = Sample(id="q", messages=talk("Which comet?", "The late one.", "And which quarry?", "The deep one."))
    assert [turn["content"] for turn in chat.prompt(long, ChatConfig())] == [
        "Which comet?",
        "The late one.",
        "And which quarry?",
    ]


def test_a_question_without_a_reference_is_its_own_prompt() -> None:
    assert chat.prompt(Sample(id="q", messages=talk("Which comet?")), ChatConfig()) == talk("Which comet?")


def test_a_reference_with_thinking_is_taught_in_the_think_format() -> None:
    config = ChatConfig(system="Think first.", think_open="[[", think_close="]]")
    turns = chat.to_messages(asked(thinking="it came in May"), config)
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant"]
    assert turns[-1]["content"] == "[[it came in May]]The late one."
    read = split(turns[-1]["content"], chat.tags(config))
    assert (read.thinking, read.answer) == ("it came in May", "The late one.")


def test_a_reference_of_which_no_thinking_is_known_is_taught_as_it_stands() -> None:
    assert chat.to_messages(asked(), ChatConfig()) == talk("Which comet?", "The late one.")
    assert chat.to_messages(asked(thinking=""), ChatConfig())[-1]["content"] == "<think></think>The late one."


def test_a_sample_is_not_changed_by_being_asked() -> None:
    sample = asked(thinking="it came in May")
    before = sample.to_dict()
    config = ChatConfig(system="Think first.")
    for make in (chat.prompt, chat.to_messages):
        make(sample, config).append({"role": "user", "content": "more"})
    assert sample.to_dict() == before


def test_generated_text_is_read_with_its_thinking_split_off(tokenizer: Any) -> None:
    read = chat.reader(tokenizer, ChatConfig())("<think>May</think>The late one.")
    assert (read.text, read.thinking, read.answer) == ("<think>May</think>The late one.", "May", "The late one.")
    assert chat.reader(tokenizer, ChatConfig())("The late one.").thinking is None


@pytest.mark.parametrize("system", [None, "Think first."])
def test_where_the_template_opens_the_thinking_the_tag_is_put_back(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch, system: str | None
) -> None:
    monkeypatch.setattr(tokenizer, "chat_template", PREOPENED)
    read = chat.reader(tokenizer, ChatConfig(system=system))
    whole = read("May</think>The late one.")
    assert (whole.text, whole.thinking, whole.answer) == ("<think>May</think>The late one.", "May", "The late one.")
    cut = read("still thinking of May")
    assert (cut.thinking, cut.answer) == (None, "")  # what never ends is no answer
    other = chat.reader(tokenizer, ChatConfig(think_open="[[", think_close="]]"))("May]]The late one.")
    assert (other.text, other.answer) == ("May]]The late one.", "The late one.")


def test_the_think_format_earns_its_reward_where_the_template_opens_it(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert think_format(chat.reader(tokenizer, ChatConfig())("May</think>The late one."), asked()) == 0.0
    monkeypatch.setattr(tokenizer, "chat_template", PREOPENED)
    assert think_format(chat.reader(tokenizer, ChatConfig())("May</think>The late one."), asked()) == 1.0
