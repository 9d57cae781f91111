"""Evaluation of models in MLX."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from trivium.evaluation.loglik import Pair, in_batches
from trivium.evaluation.respondents import ModelRespondent
from trivium.models import mlx
from trivium.models.mlx_head import logits_at
from trivium.models.quantised import for_evaluation
from trivium.schema import ChatConfig, Config

MAX_LOGITS = 1 << 26
"""Logits held at once (256 MiB in float32), save for one row that has more."""


def respondent(config: Config, base: str, run_dir: Path | None) -> "MlxRespondent":
    """The base model, or the one that `run_dir` trained."""
    mlx.use_device(config.hardware)
    adapter, dtype = for_evaluation(config), config.hardware.dtype
    if run_dir is None:
        loaded = mlx.load(config.model, base, dtype, adapter)
    else:
        loaded = mlx.load_tuned(config.model, base, run_dir, dtype, adapter)
    return MlxRespondent(*loaded, config.dataset.chat, config.hardware.eval_batch_tokens, config.model.max_length)


class MlxRespondent(ModelRespondent):
    """A causal language model of MLX-LM, in evaluation mode, and the tokens at which it ends a turn."""

    def __init__(
        self, model: Any, tokenizer: Any, stops: frozenset[int], chat_config: ChatConfig, batch_tokens: int, max_length: int
    ) -> None:
        super().__init__(tokenizer, chat_config, batch_tokens, max_length)
        self._model, self._stops = model, stops

    def _nats(self, pairs: Sequence[Pair]) -> list[float]:
        return in_batches(self._score, pairs, self._batch_tokens)

    def _score(self, batch: list[Pair]) -> list[float]:
        return [nats for some in self._fitting(batch) for nats in self._score_at_once(some)]

    def _fitting(self, batch: list[Pair]) -> Iterator[list[Pair]]:
        """The batch in parts whose logits fit."""
        most, part, places = MAX_LOGITS // len(self._tokenizer), list[Pair](), 0
        for pair in batch:
            if part and places + sum(pair.mask) > most:
                yield part
                part, places = [], 0
            part.append(pair)
            places += sum(pair.mask)
        yield part

    def _score_at_once(self, batch: list[Pair]) -> list[float]:
        """Sums of nats (B,); rows are padded on the right, which no scored token sees."""
        import mlx.core as mx
        import numpy as np

        longest = max(len(pair.input_ids) for pair in batch)
        ids = np.array([p.input_ids + [0] * (longest - len(p.input_ids)) for p in batch], np.int32)
        mask = np.array([p.mask[1:] + [0] * (longest - len(p.mask)) for p in batch], bool)
        rows, columns = np.nonzero(mask)
        if not len(rows):
            return [0.0] * len(batch)
        logits = logits_at(self._model, mx.array(ids[:, :-1]), mx.array(rows * (longest - 1) + columns))
        right = mx.take_along_axis(logits, mx.array(ids[:, 1:][mask])[:, None], axis=-1)[:, 0]
        nll = np.array(mx.logsumexp(logits, axis=-1) - right)
        return [float(nats) for nats in np.bincount(rows, nll, len(batch))]

    def _generate(self, prompts: list[list[int]], max_new_tokens: int) -> list[str]:
        return [self._tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in self._greedy(prompts, max_new_tokens)]

    def _greedy(self, prompts: list[list[int]], max_new_tokens: int) -> list[list[int]]:
        """The likeliest continuations, without the tokens that end them."""
        size, ends = len(prompts), [[token] for token in self._stops]
        batch = mlx.library("generate").BatchGenerator(
            self._model, max_tokens=max_new_tokens, stop_tokens=ends, completion_batch_size=size, prefill_batch_size=size
        )
        found: dict[int, list[int]] = {uid: [] for uid in batch.insert(prompts)}
        try:
            while responses := batch.next_generated():
                for response in responses:
                    if response.token not in self._stops:
                        found[response.uid].append(response.token)
        finally:
            batch.close()
        return list(found.values())
