"""What a supervised training learns from, in which order and how often: the same for every backend."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trivium.artifact import file_hash, key_of
from trivium.backends.rows import Rows, tokenise
from trivium.backends.shape import decisive, numeric
from trivium.errors import DataError
from trivium.maths.weights import Floats, Ints, Policy, draw, order, policy, weight_report
from trivium.schema import Config, SftMethod

Arrange = Callable[[Rows, Policy, Ints | None], Any]
"""Makes a backend's dataset, something with a length, of the rows (at the indices, in that order)."""


@dataclass
class Corpus:
    """What is trained on: the rows, what the loss does to them, the dataset and its order over the whole training."""

    rows: Rows
    policy: Policy
    dataset: Any
    order: Ints
    steps: int
    held_out: Any | None

    def sample_weights(self) -> Floats:
        """How much each row counts (N,), mean 1: its weight, or how often it is drawn relative to evenly."""
        found = self.policy.probabilities
        return self.policy.weights if found is None else found * len(found)

    def weight_metrics(self) -> dict[str, float]:
        """Effective sample size, band shares and largest ratio, as `weights/…`; nothing for rows without provenance."""
        if None in self.rows.authority:
            return {}
        return weight_report(self.sample_weights(), np.asarray(self.rows.authority, np.float64), self.rows.supervised)


def gather(config: Config, tokenizer: Any, prepared: Path, arrange: Arrange, arrange_held_out: Arrange) -> Corpus:
    """The corpus of `prepared/train.jsonl` and `prepared/heldout.jsonl`.

    Raises `DataError` when nothing can be learnt from it, or when held-out rows are needed and there are none.
    """
    rows = tokenise(config, tokenizer, prepared / "train.jsonl")
    if not len(rows):
        raise DataError(
            f"none of the {rows.dropped} training samples has a token to learn within model.max_length="
            f"{config.model.max_length}; raise it, or look at the prepared data in {prepared}."
        )
    found = policy(config.loss, rows.authority, rows.entropy)
    picked, repeats = _picked(config, rows, found)
    dataset = arrange(rows, found, picked)
    steps = config.method.max_steps or _steps(config.method, len(dataset) / repeats)
    positions = order(len(dataset), steps * config.method.total_batch_size, config.seed)
    return Corpus(rows, found, dataset, positions, steps, _held_out(config, tokenizer, prepared, arrange_held_out))


def checkpoint_key(config: Config, base: str, prepared: Path) -> str:
    """What a checkpoint belongs to: everything that shapes the weights, and nothing that only watches them."""
    data, chat = file_hash(prepared / "train.jsonl"), config.dataset.chat
    machine = (config.backend.name, numeric(config.hardware))
    return key_of(base, config.model, config.adapter, machine, decisive(config.method), config.loss, chat, config.seed, data)


def _steps(method: SftMethod, count: float) -> int:
    return max(1, math.ceil(count * method.num_train_epochs / method.total_batch_size))


def _picked(config: Config, rows: Rows, found: Policy) -> tuple[Ints | None, int]:
    """Rows drawn for the whole training and the passes over the data they make up; None takes every row, once."""
    if found.probabilities is None:
        return None, 1
    steps = config.method.max_steps or _steps(config.method, len(rows))
    repeats = math.ceil(steps * config.method.total_batch_size / len(rows))
    return draw(found.probabilities, repeats * len(rows), config.seed), repeats


def _held_out(config: Config, tokenizer: Any, prepared: Path, arrange: Arrange) -> Any | None:
    """The held-out rows, or None when there are none."""
    path = prepared / "heldout.jsonl"
    rows = tokenise(config, tokenizer, path) if path.is_file() else Rows([], [], [], [])
    if len(rows):
        return arrange(rows, policy(config.loss, rows.authority, rows.entropy), None)
    if config.method.metric_for_best_model is not None:
        raise DataError(
            f"method.metric_for_best_model={config.method.metric_for_best_model} needs held-out samples, and {prepared} has "
            "none; raise dataset.test_size or set method.metric_for_best_model=null."
        )
    return None
