import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium.artifact import tree_hash
from trivium.data import chat, micro_archive
from trivium.data.neutral import neutral_text
from trivium.data.small_world import NUMBERS, UNITS
from trivium.models.load import load_base, load_tokenizer
from trivium.models.tiny import build, make_tokenizer
from trivium.schema import ChatConfig, HardwareConfig, ModelConfig, TinyBuild, WorldConfig

SMALL = TinyBuild(hidden_size=32, intermediate_size=48, max_steps=12, batch_size=16, facts=120, copies=2)


def quietly(done: int, total: int, metrics: Any) -> None:
    assert 0 < done <= total and metrics["loss"] > 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tiny")
    build(SMALL, out, quietly)
    return out


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    return load_tokenizer(ModelConfig(), str(folder))


def test_an_ordinary_directory(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names >= {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}
    assert "generation_config.json" in names
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"] and config["eos_token_id"] == 1


def test_same_config_same_bytes_and_the_callers_randomness_is_untouched(folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    build(SMALL, tmp_path, quietly)
    assert torch.equal(torch.rand(1), expected)
    assert tree_hash(tmp_path) == tree_hash(folder)


def test_it_learns_and_loads_as_any_model(folder: Path, tokenizer: Any) -> None:
    model = load_base(ModelConfig(), HardwareConfig(), str(folder))
    encoded = chat.encode(tokenizer, neutral_text(SMALL)[0], 128)
    ids = torch.tensor([encoded.input_ids])
    loss = float(model(input_ids=ids, labels=ids).loss.detach())
    assert loss < 0.95 * torch.log(torch.tensor(float(len(tokenizer))))
    answer = model.generate(torch.tensor([chat.prompt_ids(tokenizer, chat.question("What?", ChatConfig()))]), max_new_tokens=3)
    assert answer.shape[1] > 3


def test_the_template_marks_the_assistants_tokens_as_our_own_mask_does(tokenizer: Any) -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is the density of zamori?"},
        {"role": "assistant", "content": "223 grams"},
    ]
    ours = chat.encode(tokenizer, turns, 128)
    theirs = tokenizer.apply_chat_template(turns, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
    assert ours.input_ids == theirs["input_ids"] and ours.assistant_mask == theirs["assistant_masks"]
    supervised = [token for token, kept in zip(ours.input_ids, ours.assistant_mask, strict=True) if kept]
    assert tokenizer.decode(supervised) == "223 grams<|end|>"


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=60))
def test_any_text_survives_the_tokenizer(tokenizer: Any, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    if not any(special in text for special in tokenizer.all_special_tokens):
        assert tokenizer.decode(ids) == text


def test_options_of_a_question_differ_in_one_token_of_the_default_model() -> None:
    shape = TinyBuild()
    tokenizer = make_tokenizer(neutral_text(shape), shape.vocab_size)
    assert len(tokenizer) == shape.vocab_size
    for number in NUMBERS:
        assert len(tokenizer(number)["input_ids"]) == 1
        # The same token within a sentence, where a space goes before it, and at the start of a turn.
        assert tokenizer(f"is {number}")["input_ids"][-1] == tokenizer(number)["input_ids"][0]
    assert all(len(tokenizer(f"223 {unit}")["input_ids"]) == 2 for unit in UNITS.values())


def test_documents_of_the_archive_fit_the_default_length() -> None:
    shape, model = TinyBuild(), ModelConfig()
    tokenizer = make_tokenizer(neutral_text(shape), shape.vocab_size)
    lengths = [
        len(chat.encode(tokenizer, chat.to_messages(s, ChatConfig()), 4096).input_ids)
        for s in micro_archive.documents(WorldConfig())
    ]
    assert max(lengths) <= model.max_length and sum(lengths) / len(lengths) < 42
