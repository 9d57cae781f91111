"""A training on disk: the weights that are trained, the optimiser, the random state, and how far it is."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import mlx.core as mx

from trivium.backends import checkpoints
from trivium.backends.mlx import chance
from trivium.backends.mlx.learner import Learner, Step

WEIGHTS, OPTIMIZER, STATE = "weights.safetensors", "optimizer.safetensors", "state.json"


@dataclass
class Tally:
    """Sums over the optimiser steps since the last line of metrics."""

    steps: int = 0
    loss: float = 0.0
    supervised: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    grad_norm: float = 0.0
    """Of the last step, before clipping."""

    def add(self, step: Step, supervised: int) -> None:
        """One more step."""
        self.grad_norm = step.grad_norm
        self.steps, self.loss, self.supervised = self.steps + 1, self.loss + step.loss, self.supervised + supervised
        self.sums = {name: self.sums.get(name, 0.0) + value for name, value in step.sums.items()}

    def means(self) -> dict[str, float]:
        """The loss as the mean over steps; the rest per supervised token, in nats but for the accuracy."""
        means = {name: value / max(1, self.supervised) for name, value in self.sums.items()}
        return {**means, "loss": self.loss / max(1, self.steps)}


@dataclass
class Position:
    """How far a training is, and what it needs to report when it goes on."""

    step: int = 0
    tally: Tally = field(default_factory=Tally)
    loss: float | None = None
    """The loss of the last line."""
    evaluated: dict[str, float] = field(default_factory=dict)
    """The held-out metrics of the newest evaluation, with their step as `step`."""
    seconds: float = 0.0
    tokens: int = 0
    """Of all steps, padding included."""
    peak: float = 0.0
    """GB."""


def save(folder: Path, key: str, keep: int, learner: Learner, position: Position) -> None:
    """Write a checkpoint below `folder`, whole or not at all, then remove all but the newest `keep`."""
    with checkpoints.new_folder(folder / f"{checkpoints.PREFIX}{position.step}") as temporary:
        weights, optimizer = learner.tensors()
        mx.save_safetensors(str(temporary / WEIGHTS), weights)
        mx.save_safetensors(str(temporary / OPTIMIZER), optimizer)
        state = {**asdict(position), "random": chance.state()}
        (temporary / STATE).write_text(json.dumps(state), encoding="utf-8")
        checkpoints.mark(temporary, position.step, key)
    checkpoints.prune(folder, key, keep)


def load(folder: Path, learner: Learner) -> Position:
    """Put a checkpoint's weights, optimiser and random state back."""
    state: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
    learner.restore(mx.load(str(folder / WEIGHTS)), mx.load(str(folder / OPTIMIZER)))
    chance.restore(state.pop("random"))
    return Position(**{**state, "tally": Tally(**state["tally"])})
