"""Looks at a model in training, of which the training knows nothing; and what a training leaves behind in memory."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from transformers import TrainerCallback

from trivium.backends import memory
from trivium.errors import Pruned
from trivium.evaluation.probe import Watch
from trivium.evaluation.torch import TorchRespondent
from trivium.schema import Config


class Watcher(TrainerCallback):
    """Shows the model to a watch when it is time; when that gives the training up, its checkpoints are removed."""

    def __init__(self, watch: Watch, config: Config, tokenizer: Any) -> None:
        self.watch, self.config, self.tokenizer = watch, config, tokenizer

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any, **_: Any) -> None:
        """One look, between two steps."""
        last = state.global_step >= state.max_steps or control.should_training_stop
        if last or state.global_step % self.watch.every:
            return
        try:
            with undisturbed(model):
                self.watch.look(self._respondent(model), state.global_step)
        except Pruned:
            shutil.rmtree(args.output_dir, ignore_errors=True)
            raise

    def _respondent(self, model: Any) -> TorchRespondent:
        hardware, longest = self.config.hardware, self.config.model.max_length
        return TorchRespondent(model, self.tokenizer, self.config.dataset.chat, hardware.eval_batch_tokens, longest)


@contextmanager
def undisturbed(model: Any) -> Iterator[None]:
    """The model in evaluation mode; its modes and PyTorch's random state are as before afterwards."""
    modes = {module: module.training for module in model.modules()}
    with torch.random.fork_rng([model.device] if model.device.type == "cuda" else []):
        model.eval()
        try:
            yield
        finally:
            for module, training in modes.items():
                module.training = training


def freed() -> AbstractContextManager[None]:
    """Give a training's memory back when it ends, that of the card included."""
    return memory.freed(_empty_cache)


def _empty_cache() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
