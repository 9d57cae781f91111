"""Two processes on the CPU learn what one learns."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.backends.process.ranks import together
from tests.backends.torch import test_grpo
from tests.backends.trainings import Watch, configured, same, terminate, weights

from trivium.backends.torch import grpo, ranks, sft
from trivium.errors import Interrupted, TrainingError
from trivium.schema import FullAdapter, LoraAdapter, WarmStart

STEPS, RATE = 10, 1e-3
CLOSE = 1e-5
"""Nats; float32 sums in another order."""


def asked(processes: int, adapter: Any = None, parallel: str = "ddp", **method: Any) -> Any:
    settings = {"max_steps": STEPS, "learning_rate": RATE, "logging_steps": 1, "total_batch_size": 16, **method}
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


def nearly(a: Path, b: Path) -> bool:
    """Whether weights differ by less than a fiftieth of the way that they can have gone."""
    first, second = weights(a), weights(b)
    assert first.keys() == second.keys()
    return max(float((first[name] - second[name]).abs().max()) for name in first) < RATE * STEPS / 50


WAYS = {"ddp": (LoraAdapter(r=4), "ddp"), "fsdp2": (LoraAdapter(r=4), "fsdp2"), "full": (FullAdapter(), "fsdp2")}


@pytest.mark.parametrize(("adapter", "parallel"), WAYS.values(), ids=WAYS)
def test_two_processes_learn_what_one_learns(
    random_model: Path, prepared: Path, tmp_path: Path, adapter: Any, parallel: str
) -> None:
    settings = {"eval_steps": 4, "metric_for_best_model": "eval_nll"}
    alone = trained(asked(1, adapter, **settings), random_model, prepared, tmp_path / "one")
    config = asked(2, adapter, parallel, **settings)
    both = together(2, tmp_path / "m", trained, config, random_model, prepared, tmp_path / "two")
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


GROUP = 4


def policy(config: Any, base: Path, asked: Path, out: Path) -> Any:
    """Tables, lines of metrics, final metrics."""
    watch, tables = Watch(), []
    watch.table = lambda name, columns, step: tables.append((step, columns))  # type: ignore[attr-defined]
    metrics = grpo.train(config, str(base), asked, out, record=watch, progress=watch.progress)  # type: ignore[arg-type]
    return tables, watch.lines, metrics


def test_two_processes_train_a_policy_on_whole_groups(random_model: Path, tmp_path: Path) -> None:
    """What is sampled depends on the process, so that the losses of one process are not those of two."""
    settings = {"max_steps": 3, "total_batch_size": 16, "num_generations": GROUP, "completions_steps": 1, "gold_steps": 2}
    config = test_grpo.configured(**settings, warm_start=WarmStart(max_steps=2, total_batch_size=4))
    config.cache_dir = str(tmp_path / "cache")
    config.hardware = replace(config.hardware, num_processes=2, per_device_train_batch_size=4)
    questions = test_grpo.write(tmp_path / "asked", 12, 6)
    found = together(2, tmp_path / "m", policy, config, random_model, questions, tmp_path / "out")
    (tables, lines, metrics), (others, _, same) = found
    assert [step for step, _ in tables] == [1, 2, 3]
    for (_, mine), (_, theirs) in zip(tables, others, strict=True):
        groups = [Counter(table["prompt"]) for table in (mine, theirs)]
        assert all(set(group.values()) == {GROUP} for group in groups)
        assert not set(groups[0]) & set(groups[1])
        assert mine["completion"] != theirs["completion"]
    assert metrics["warm_start/steps"] == 2
    assert metrics["gold/reward_last"] == same["gold/reward_last"]
    first = next(line for _, line in lines if "loss" in line)
    both = [value for table in (tables[0][1], others[0][1]) for value in table["reward"]]
    assert first["reward"] == pytest.approx(sum(both) / len(both), abs=1e-6)
    assert weights(tmp_path / "out")
