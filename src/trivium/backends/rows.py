"""Prepared samples as token rows: what the trainers of all backends learn from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from trivium.artifact import key_of
from trivium.data.chat import encode, to_messages
from trivium.errors import DataError
from trivium.kept import Kept
from trivium.maths.weights import Ints
from trivium.sample import Sample
from trivium.schema import Config, SftMethod

IGNORED = -100


@dataclass
class Rows:
    """N tokenised samples: ids and labels (`-100` where no loss falls), and their provenance."""

    input_ids: list[list[int]]
    labels: list[list[int]]
    authority: list[float | None]
    entropy: list[float | None]
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def supervised(self) -> Ints:
        """Tokens that carry loss (N,); a first token is never predicted."""
        return np.array([sum(label != IGNORED for label in labels[1:]) for labels in self.labels], np.int64)


_kept = Kept[Rows](2)
"""The rows of what was trained on last, and of what is held out."""


def tokenise(config: Config, tokenizer: Any, path: Path) -> Rows:
    """The samples of a prepared file as rows; samples without a supervised token are dropped and counted.

    The next training in this process that asks for the same is given the same rows, which are not to be changed. Raises
    `DataError` when the file is missing or was not written by the prepare stage.
    """
    if not path.is_file():
        raise DataError(f"{path} is not there; run the prepare stage first (stages=[prepare,train]).")
    return _kept.get(_key(config, tokenizer, path), lambda: _tokenised(config, tokenizer, path))


def _key(config: Config, tokenizer: Any, path: Path) -> str:
    file, coder = path.stat(), (tokenizer.name_or_path, config.model.revision, tokenizer.chat_template)
    settings = (config.model.max_length, config.dataset.chat, _masked(config))
    return key_of(path.resolve(), file.st_size, file.st_mtime_ns, *coder, *settings)


def _masked(config: Config) -> tuple[bool, bool]:
    """Whether only the assistant's turns carry loss, and whether only the last of them does."""
    last_only = isinstance(config.method, SftMethod) and config.method.completion_only_loss
    return last_only or config.method.assistant_only_loss, last_only


def _tokenised(config: Config, tokenizer: Any, path: Path) -> Rows:
    rows = Rows([], [], [], [])
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            _add(rows, _sample(line, path, number), config, tokenizer)
    return rows


def _sample(line: bytes, path: Path, number: int) -> Sample:
    try:
        return Sample.from_dict(orjson.loads(line))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}, line {number}: not a prepared sample ({error}); run the prepare stage again.") from error


def _add(rows: Rows, sample: Sample, config: Config, tokenizer: Any) -> None:
    masked, last_only = _masked(config)
    encoded = encode(tokenizer, to_messages(sample, config.dataset.chat), config.model.max_length, last_only)
    supervised = encoded.assistant_mask if masked else [1] * len(encoded.input_ids)
    if not any(supervised[1:]):
        rows.dropped += 1
        return
    rows.input_ids.append(encoded.input_ids)
    rows.labels.append([i if on else IGNORED for i, on in zip(encoded.input_ids, supervised, strict=True)])
    rows.authority.append(sample.authority)
    rows.entropy.append(sample.entropy)
