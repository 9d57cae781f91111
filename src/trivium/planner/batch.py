"""What a training holds at once and sees in all: from the prepared rows where they are there, else from the limits."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from trivium.backends.shape import batch_shape, world_size
from trivium.schema import Config, GrpoMethod, SftMethod

if TYPE_CHECKING:
    from trivium.backends.rows import Rows
    from trivium.maths.weights import Ints

LEAST_PROMPT = 64
"""Tokens that a prompt is reckoned with at least, where none is known."""


@dataclass(frozen=True)
class Held:
    """The largest batch of held-out rows, none where there are no sequences; `scored` counts its positions with a loss."""

    sequences: int = 0
    length: int = 0
    scored: int = 0


@dataclass(frozen=True)
class Batch:
    """The largest micro-batch of one process, in tokens, and the whole training.

    `length` is that of its padded rows, `scored` counts its positions with a loss, `padded` tells whether rows differ in
    length. `tokens` are those that all batches of all processes hold, padding included; None where the data are not known.
    `exact` tells whether rows were counted.
    """

    sequences: int
    length: int
    scored: int
    padded: bool
    accumulation: int
    steps: int | None
    tokens: float | None
    exact: bool
    prompt: int = 0
    completion: int = 0
    held_out: Held = Held()


@dataclass(frozen=True)
class Data:
    """Prepared rows, as the training reads them: to learn from, and held out."""

    train: "Rows"
    held_out: "Rows"


def batch(config: Config, data: Data | None) -> Batch:
    """The batches of the configured training; with `data`, those that it will really see."""
    if isinstance(config.method, GrpoMethod):
        return _questions(config, config.method)
    micro, accumulation = batch_shape(config.method, config.hardware)
    at_once, length = max(1, config.hardware.eval_batch_tokens // config.model.max_length), config.model.max_length
    if data is not None and len(data.train):
        found = _counted(config, config.method, data.train, micro, accumulation)
        return replace(found, held_out=_held(data.held_out, at_once, length))
    steps = config.method.max_steps
    tokens = None if steps is None else float(steps * config.method.total_batch_size * length)
    held = Held(at_once, length, at_once * (length - 1)) if config.dataset.test_size else Held()
    return Batch(micro, length, micro * (length - 1), micro > 1, accumulation, steps, tokens, False, held_out=held)


def _counted(config: Config, method: SftMethod, rows: "Rows", micro: int, accumulation: int) -> Batch:
    """Micro-batches as the training will form them, of rows in its own order."""
    from trivium.maths.weights import order

    lengths, scored = _lengths(rows, config.model.max_length), rows.supervised
    if method.packing:
        return _packed(config, method, lengths, scored, micro, accumulation)
    steps = method.max_steps or steps_of(method, len(lengths))
    positions = order(len(lengths), steps * method.total_batch_size, config.seed).reshape(-1, micro)
    longest = lengths[positions].max(1)
    widest = int(longest.argmax())
    return Batch(
        micro,
        int(longest[widest]),
        int(scored[positions].sum(1).max()),
        bool(lengths[positions[widest]].min() < longest[widest]),
        accumulation,
        steps,
        float(longest.sum() * micro),
        True,
    )


def _lengths(rows: "Rows", longest: int) -> "Ints":
    """Tokens of each row, also where a plan with a shorter limit is made of rows that were counted with another."""
    return np.minimum(np.array([len(ids) for ids in rows.input_ids], np.int64), longest)


def _held(rows: "Rows", at_once: int, limit: int) -> Held:
    """The batch of the longest rows among the batches of held-out rows, which stand in the order of their file."""
    if not len(rows):
        return Held()
    lengths, scored = _lengths(rows, limit), rows.supervised
    starts = range(0, len(lengths), at_once)
    longest = max(int(lengths[start : start + at_once].max()) for start in starts)
    return Held(min(at_once, len(lengths)), longest, max(int(scored[start : start + at_once].sum()) for start in starts))


def _packed(config: Config, method: SftMethod, lengths: "Ints", scored: "Ints", micro: int, accumulation: int) -> Batch:
    """Rows packed into sequences of the greatest length, which best-fit fills nearly to the brim."""
    length = config.model.max_length
    count = max(1, math.ceil(lengths.sum() / length))
    steps = method.max_steps or steps_of(method, count)
    share = float(scored.sum() / max(1, lengths.sum()))
    tokens = float(steps * method.total_batch_size * length)
    return Batch(micro, length, math.ceil(micro * length * share), False, accumulation, steps, tokens, True)


def steps_of(method: SftMethod, count: float) -> int:
    """Optimiser steps of the epochs over so many sequences."""
    return max(1, math.ceil(count * method.num_train_epochs / method.total_batch_size))


def _questions(config: Config, method: GrpoMethod) -> Batch:
    """Prompts and completions at their longest."""
    micro, accumulation = batch_shape(method, config.hardware)
    completion = method.max_completion_length
    prompt = max(LEAST_PROMPT, config.model.max_length - completion)
    length = prompt + completion
    tokens = float(method.max_steps * method.total_batch_size * length)
    scored = micro * completion
    return Batch(micro, length, scored, True, accumulation, method.max_steps, tokens, False, prompt, completion)


def generated_at_once(config: Config, found: Batch) -> int:
    """Completions that one process generates together: those of a whole step."""
    return found.sequences * found.accumulation if isinstance(config.method, GrpoMethod) else 0


def processes(config: Config) -> int:
    """Devices that train together."""
    return world_size(config.hardware)
