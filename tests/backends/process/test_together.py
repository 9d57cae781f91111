"""Two processes on the CPU learn what one learns."""

import math
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.backends.process.ranks import together
from tests.backends.trainings import Watch, configured, same, terminate, weights
from tests.conftest import sentences

from trivium.backends.torch import ranks, sft
from trivium.errors import Interrupted, NotFinite, TrainingError
from trivium.schema import FullAdapter, LoraAdapter

STEPS = 10
CLOSE = 1e-5
"""Nats; float32 sums in another order."""


def asked(processes: int, adapter: Any = None, parallel: str = "ddp", **method: Any) -> Any:
    settings = {"max_steps": STEPS, "learning_rate": 1e-3, "logging_steps": 1, "total_batch_size": 16, **method}
    config = configured(adapter=adapter or LoraAdapter(r=4), **settings)
    config.hardware = replace(config.hardware, num_processes=processes, parallel=parallel, per_device_train_batch_size=2)
    return config


def trained(config: Any, base: Path, prepared: Path, out: Path, stop_at: int = -1, rank: int = 0) -> Any:
    """Lines of metrics, final metrics; `rank` gets the signal."""
    watch = Watch(stop_at, terminate if ranks.rank() == rank else lambda: None)
    metrics = sft.train(config, str(base), prepared, out, record=watch, progress=watch.progress)
    return watch.lines, metrics


def curve(lines: Any) -> list[float]:
    return [line[name] for _, line in lines for name in ("loss", "nll", "grad_norm", "eval_nll", "eval_loss") if name in line]


def close(a: list[float], b: list[float]) -> bool:
    return len(a) == len(b) > STEPS and max(abs(x - y) for x, y in zip(a, b, strict=True)) < CLOSE


def nearly(a: Path, b: Path, share: float = 1e-3) -> bool:
    """Whether weights differ by less than a share of the largest step that training could have taken."""
    first, second = weights(a), weights(b)
    return all(float((first[name] - second[name]).abs().max()) < share * STEPS for name in first | second)


@pytest.mark.parametrize("parallel", ["ddp", "fsdp2"])
@pytest.mark.parametrize("adapter", [LoraAdapter(r=4), FullAdapter()], ids=["lora", "full"])
def test_two_processes_learn_what_one_learns(
    random_model: Path, prepared: Path, tmp_path: Path, adapter: Any, parallel: str
) -> None:
    settings = {"eval_steps": 4, "metric_for_best_model": "eval_nll"}
    alone = trained(asked(1, adapter, **settings), random_model, prepared, tmp_path / "one")
    both = together(2, tmp_path / "m", trained, asked(2, adapter, parallel, **settings), random_model, prepared, tmp_path / "two")
    lines, metrics = both[0]
    assert close(curve(alone[0]), curve(lines))
    assert close(curve(lines), curve(both[1][0]))
    assert metrics["train/best_step"] == alone[1]["train/best_step"]
    assert nearly(tmp_path / "one", tmp_path / "two")


@pytest.mark.parametrize("parallel", ["ddp", "fsdp2"])
def test_stopped_and_resumed_by_two_processes_equals_uninterrupted(
    random_model: Path, prepared: Path, tmp_path: Path, parallel: str
) -> None:
    config = asked(2, LoraAdapter(r=4, lora_dropout=0.2), parallel)

    def run(out: str, *stop: int) -> Any:
        return together(2, tmp_path / "m", trained, config, random_model, prepared, tmp_path / out, *stop)

    (whole, _), _ = run("whole")
    assert all(isinstance(error, Interrupted) and "SIGTERM at step 4" in str(error) for error in run("parts", 4, 1))
    (rest, _), _ = run("parts")
    assert curve(whole)[-len(curve(rest)) :] == curve(rest)
    assert rest[1][0] == 5
    assert same(tmp_path / "whole", tmp_path / "parts")


def test_as_many_processes_train_as_were_asked_for(random_model: Path, prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="1 processes train together, and 2 were asked for"):
        trained(asked(2), random_model, prepared, tmp_path / "out")
    found = together(2, tmp_path / "m", trained, asked(1), random_model, prepared, tmp_path / "out")
    assert ["2 processes train together, and 1 were asked for" in str(error) for error in found] == [True, True]
    assert not (tmp_path / "out").exists()
