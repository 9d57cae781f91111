"""Two processes on the CPU train a policy. What is sampled depends on the process, so the losses of one are not those of two."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.backends.process.ranks import together
from tests.backends.torch.test_grpo import configured, write
from tests.backends.trainings import Watch, weights

from trivium.backends.torch import grpo
from trivium.schema import WarmStart

GROUP, STEPS = 4, 3


def trained(config: Any, base: Path, asked: Path, out: Path) -> Any:
    """Tables, lines of metrics, final metrics."""
    watch, tables = Watch(), []
    watch.table = lambda name, columns, step: tables.append((step, columns))  # type: ignore[attr-defined]
    metrics = grpo.train(config, str(base), asked, out, record=watch, progress=watch.progress)  # type: ignore[arg-type]
    return tables, watch.lines, metrics


@pytest.fixture
def found(random_model: Path, tmp_path: Path) -> Any:
    settings = {"max_steps": STEPS, "total_batch_size": 16, "num_generations": GROUP, "completions_steps": 1, "gold_steps": 2}
    config = configured(**settings, warm_start=WarmStart(max_steps=2, total_batch_size=4))
    config.cache_dir = str(tmp_path / "cache")
    config.hardware = replace(config.hardware, num_processes=2, per_device_train_batch_size=4)
    return together(2, tmp_path / "m", trained, config, random_model, write(tmp_path / "asked", 12, 6), tmp_path / "out")


def test_groups_stay_whole_and_processes_agree(found: Any, tmp_path: Path) -> None:
    (tables, lines, metrics), (others, _, same) = found
    assert [step for step, _ in tables] == [1, 2, 3]
    for (_, mine), (_, theirs) in zip(tables, others, strict=True):
        groups = [Counter(table["prompt"]) for table in (mine, theirs)]
        assert all(set(group.values()) == {GROUP} for group in groups)
        assert not set(groups[0]) & set(groups[1])
        assert mine["completion"] != theirs["completion"]
    assert metrics["warm_start/steps"] == 2
    assert metrics["gold/reward_last"] == same["gold/reward_last"]
    learning = [line for _, line in lines if "loss" in line]
    both = [value for table in (tables[0][1], others[0][1]) for value in table["reward"]]
    assert learning[0]["reward"] == pytest.approx(sum(both) / len(both), abs=1e-6)
    assert weights(tmp_path / "out")
