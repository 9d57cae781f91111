"""MLX-LM as a runtime of the certificate."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trivium.data import chat
from trivium.export.job import Job
from trivium.export.runtime import Logprobs
from trivium.models import mlx
from trivium.models.load import load_tokenizer
from trivium.sample import Message


class MlxRuntime:
    """A model loaded by MLX-LM, and its tokenizer."""

    def __init__(self, model: Any, tokenizer: Any, stops: frozenset[int]) -> None:
        self._model, self._tokenizer, self._stops = model, tokenizer, stops

    def render(self, messages: Sequence[Message], add_generation_prompt: bool) -> str:
        """By the tokenizer's chat template."""
        return chat.render(self._tokenizer, list(messages), add_generation_prompt)

    def tokenize(self, text: str) -> list[int]:
        """By the tokenizer."""
        return list(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def stops(self) -> frozenset[str]:
        """The tokens at which MLX-LM ends an answer."""
        return frozenset(self._tokenizer.convert_ids_to_tokens(sorted(self._stops)))

    def greedy(self, ids: Sequence[int], max_new_tokens: int) -> list[int]:
        """The likeliest continuation."""
        import mlx.core as mx

        answer: list[int] = []
        steps = mlx.library("generate").generate_step(mx.array(list(ids)), self._model, max_tokens=max_new_tokens)
        for token, _ in steps:
            if int(token) in self._stops:
                break
            answer.append(int(token))
        return answer

    def logprobs(self, ids: Sequence[int], first: int) -> Logprobs:
        """(len(ids) - first, V), in nats."""
        import mlx.core as mx

        logits = self._model(mx.array([list(ids)]))[0, first:].astype(mx.float32)
        found: Logprobs = np.array(logits - mx.logsumexp(logits, axis=-1, keepdims=True), np.float32)
        return found


@contextmanager
def whole(job: Job, folder: Path) -> Iterator[MlxRuntime]:
    """An MLX directory, with its own template."""
    plain = replace(job.config.model, path=str(folder), revision=None, chat_template=None)
    yield MlxRuntime(*mlx.load(plain, str(folder)))


@contextmanager
def adapted(job: Job, folder: Path) -> Iterator[MlxRuntime]:
    """The base model with an adapter in MLX-LM's layout."""
    found = mlx.load(job.config.model, job.base)
    model = mlx.library("tuner.utils").load_adapters(found.model, str(folder)).eval()
    yield MlxRuntime(model, load_tokenizer(job.config.model, job.base), found.stops)
