"""Evaluation of models in PyTorch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trivium.evaluation.loglik import Pair, score_pairs
from trivium.evaluation.respondents import ModelRespondent
from trivium.models.generate import generate
from trivium.models.load import load_base, load_tokenizer, load_tuned
from trivium.models.quantised import for_evaluation
from trivium.schema import ChatConfig, Config


def respondent(config: Config, base: str, run_dir: Path | None) -> "TorchRespondent":
    """The base model, or the one that `run_dir` trained."""
    tokenizer, adapter = load_tokenizer(config.model, base), for_evaluation(config)
    if run_dir is None:
        model = load_base(config.model, config.hardware, base, adapter)
    else:
        model = load_tuned(config.model, config.hardware, base, run_dir, adapter)
    talk, batch_tokens = config.dataset.chat, config.hardware.eval_batch_tokens
    return TorchRespondent(model, tokenizer, talk, batch_tokens, config.model.max_length)


class TorchRespondent(ModelRespondent):
    """A causal language model of Transformers, PEFT's wrapper around it included."""

    def __init__(self, model: Any, tokenizer: Any, chat_config: ChatConfig, batch_tokens: int, max_length: int) -> None:
        super().__init__(tokenizer, chat_config, batch_tokens, max_length)
        self._model = model

    def _nats(self, pairs: Sequence[Pair]) -> list[float]:
        return score_pairs(self._model, pairs, self._tokenizer.pad_token_id, self._batch_tokens)

    def _generate(self, prompts: list[list[int]], max_new_tokens: int) -> list[str]:
        return generate(self._model, self._tokenizer, prompts, max_new_tokens)
