"""Which tokens carry loss: all, all of the assistant's, or those of its last turn."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from trivium.backends.rows import IGNORED, Rows, tokenise
from trivium.errors import DataError
from trivium.sample import Message, Sample
from trivium.schema import Config

TALK: list[Message] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Which comet?"},
    {"role": "assistant", "content": "The late one."},
    {"role": "user", "content": "Which quarry?"},
    {"role": "assistant", "content": "The deep one."},
]


@pytest.fixture(scope="module")
def tokenizer(random_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(random_model)


def rows_of(tokenizer: Any, folder: Path, *talks: list[Message], longest: int = 1024, **method: Any) -> Rows:
    config = Config()
    config.model.max_length = longest
    for name, value in method.items():
        setattr(config.method, name, value)
    rows = [Sample(f"r{i}", talk[-1]["content"], talk) for i, talk in enumerate(talks)]
    (folder / "train.jsonl").write_text("".join(json.dumps(row.to_dict()) + "\n" for row in rows))
    return tokenise(config, tokenizer, folder / "train.jsonl")


def learnt(tokenizer: Any, rows: Rows) -> str:
    return str(tokenizer.decode([label for label in rows.labels[0] if label != IGNORED], skip_special_tokens=True))


def test_every_turn_of_the_assistant_carries_loss(tokenizer: Any, tmp_path: Path) -> None:
    assert learnt(tokenizer, rows_of(tokenizer, tmp_path, TALK)) == "The late one.The deep one."


@pytest.mark.parametrize("assistant_only", [True, False])
def test_of_a_completion_only_the_last_turn_does(tokenizer: Any, tmp_path: Path, assistant_only: bool) -> None:
    settings = {"completion_only_loss": True, "assistant_only_loss": assistant_only}
    rows = rows_of(tokenizer, tmp_path, TALK, **settings)
    assert learnt(tokenizer, rows) == "The deep one."
    assert rows.labels[0][-1] == tokenizer.eos_token_id, "the model learns where to stop"


def test_else_every_token_does(tokenizer: Any, tmp_path: Path) -> None:
    rows = rows_of(tokenizer, tmp_path, TALK, assistant_only_loss=False)
    assert rows.labels == rows.input_ids
    assert rows.supervised.tolist() == [len(rows.input_ids[0]) - 1]


def test_a_talk_whose_last_turn_is_cut_off_is_dropped_and_counted(tokenizer: Any, tmp_path: Path) -> None:
    first = len(rows_of(tokenizer, tmp_path, TALK[:3]).input_ids[0])
    rows = rows_of(tokenizer, tmp_path, TALK, TALK[:3], longest=first, completion_only_loss=True)
    assert (len(rows), rows.dropped) == (1, 1)
    assert learnt(tokenizer, rows) == "The late one."
    assert len(rows_of(tokenizer, tmp_path, TALK, longest=first)) == 1, "its first answer would be learnt otherwise"


def test_the_next_training_is_given_the_same_rows_and_others_their_own(tokenizer: Any, tmp_path: Path) -> None:
    rows = rows_of(tokenizer, tmp_path, TALK, longest=Config().model.max_length)
    assert tokenise(replace(Config(), seed=5), tokenizer, tmp_path / "train.jsonl") is rows
    assert learnt(tokenizer, rows_of(tokenizer, tmp_path, TALK[:3])) == "The late one.", "the file was written anew"
    for change in ({"longest": 9}, {"completion_only_loss": True}, {"assistant_only_loss": False}):
        assert rows_of(tokenizer, tmp_path, TALK, **change) != rows


def test_a_line_that_was_not_prepared_is_named(tokenizer: Any, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"id": "a", "text": "x"}\n{"nonsense": 1}\n')
    with pytest.raises(DataError, match="line 2: not a prepared sample"):
        tokenise(Config(), tokenizer, tmp_path / "train.jsonl")
    with pytest.raises(DataError, match="run the prepare stage first"):
        tokenise(Config(), tokenizer, tmp_path / "none.jsonl")
