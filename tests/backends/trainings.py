"""Whole trainings in tests: small settings, what they reported, and the weights they wrote."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file

from trivium.schema import Config, DistrustLoss, LoraAdapter

STEPS = 9


def configured(loss=None, adapter=None, **method) -> Config:
    config = Config(loss=loss or DistrustLoss(), adapter=adapter or LoraAdapter(r=4, lora_dropout=0.1))
    settings = {"max_steps": STEPS, "total_batch_size": 8, "learning_rate": 5e-3, "logging_steps": 2, **method}
    for name, value in settings.items():
        setattr(config.method, name, value)
    config.hardware.per_device_train_batch_size = 4
    return config


class Watch:
    """What train reported, and something to do once at a given step."""

    def __init__(self, step: int = -1, act: Callable[[], None] = lambda: None) -> None:
        self.step, self.act = step, act
        self.lines: list[tuple[int, dict[str, float]]] = []
        self.steps: list[tuple[int, int]] = []
        self.shown: dict[str, float] = {}

    def metrics(self, metrics: dict[str, float], step: int) -> None:
        self.lines.append((step, dict(metrics)))

    def progress(self, step: int, steps: int, metrics: dict[str, float]) -> None:
        self.steps.append((step, steps))
        self.shown = dict(metrics)
        if step == self.step:
            self.act()

    def values(self, name: str) -> list[float]:
        return [line[name] for _, line in self.lines if name in line]


def learnt(metrics: dict[str, float]) -> dict[str, float]:
    """Metrics without those of the machine, which differ from run to run."""
    return {name: value for name, value in metrics.items() if not name.startswith("system/")}


def tokens(metrics: dict[str, float]) -> int:
    """Tokens of all steps."""
    return round(metrics["system/train_seconds"] * metrics["system/tokens_per_second"])


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(next(out.glob("*/*.safetensors")))


def same(a: Path, b: Path) -> bool:
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
