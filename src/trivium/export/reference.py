"""The reference of a certificate, transformers itself: the model as it was evaluated."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from trivium.data import chat
from trivium.export.job import Job
from trivium.export.runtime import Logprobs
from trivium.models.generate import continuations, stop_ids
from trivium.models.load import load_base, load_tokenizer, load_tuned
from trivium.sample import Message


class TorchRuntime:
    """A causal language model and its tokenizer in transformers."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model, self.tokenizer = model, tokenizer

    def render(self, messages: Sequence[Message], add_generation_prompt: bool) -> str:
        """By the tokenizer's chat template."""
        return chat.render(self.tokenizer, list(messages), add_generation_prompt)

    def tokenize(self, text: str) -> list[int]:
        """By the tokenizer."""
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def stops(self) -> frozenset[str]:
        """The tokenizer's end token and those of the generation settings."""
        return frozenset(self.tokenizer.convert_ids_to_tokens(stop_ids(self._model, self.tokenizer)))

    def greedy(self, ids: Sequence[int], max_new_tokens: int) -> list[int]:
        """The likeliest continuation."""
        answer = continuations(self._model, self.tokenizer, [list(ids)], max_new_tokens)[0].tolist()
        ends = set(stop_ids(self._model, self.tokenizer))
        return list(takewhile(lambda token: token not in ends, answer))

    def logprobs(self, ids: Sequence[int], first: int) -> Logprobs:
        """(len(ids) - first, V), in nats."""
        import torch

        with torch.inference_mode():
            logits = self._model(input_ids=torch.tensor([list(ids)], device=self._model.device)).logits[0, first:]
            found: Logprobs = logits.float().log_softmax(-1).cpu().numpy().astype(np.float32)
        return found


@contextmanager
def tuned(job: Job) -> Iterator[TorchRuntime]:
    """The model as it was evaluated."""
    config = job.config
    model = load_tuned(config.model, config.hardware, job.base, job.run)
    yield TorchRuntime(model, load_tokenizer(config.model, job.base))


@contextmanager
def untuned(job: Job) -> Iterator[TorchRuntime]:
    """The model that training began with."""
    config = job.config
    yield TorchRuntime(load_base(config.model, config.hardware, job.base), load_tokenizer(config.model, job.base))


@contextmanager
def whole(job: Job, folder: Path) -> Iterator[TorchRuntime]:
    """A model directory, with its own template."""
    from dataclasses import replace

    plain = replace(job.config.model, path=str(folder), revision=None, chat_template=None)
    yield TorchRuntime(load_base(plain, job.config.hardware, str(folder)), load_tokenizer(plain, str(folder)))


@contextmanager
def adapted(job: Job, folder: Path) -> Iterator[TorchRuntime]:
    """The base model with an adapter from a folder of that name (see `models.load`)."""
    config = job.config
    model = load_tuned(config.model, config.hardware, job.base, folder)
    yield TorchRuntime(model, load_tokenizer(config.model, job.base))
