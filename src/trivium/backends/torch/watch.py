"""Looks at a model in training, of which the training knows nothing; and what a training leaves behind in memory."""

import gc
import shutil
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from transformers import TrainerCallback

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


@contextmanager
def freed() -> Iterator[None]:
    """Give a training's memory back when it ends, well or not: its trainer is part of cycles, and a traceback that somebody
    keeps would hold on to it.
    """
    _settle()
    try:
        yield
    except BaseException as error:
        _forget_frames(error)
        raise
    finally:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


@cache
def _settle() -> None:
    """Leave what is loaded by now, half a million objects of libraries, out of this and every later collection."""
    gc.collect()
    gc.freeze()


def _forget_frames(error: BaseException | None) -> None:
    """Clear what the functions that an error, or its causes, came through still hold."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
