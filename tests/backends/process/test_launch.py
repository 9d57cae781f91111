"""Processes that torchrun starts, on one machine and on two."""

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.backends.process.test_parent import HERE, Heard
from tests.backends.trainings import configured, weights

from trivium.backends.process import launch, parent, request
from trivium.errors import ConfigError, TrainingError
from trivium.schema import Config, LoraAdapter

ConfigOf = Callable[..., Config]


def asked(config_of: ConfigOf, out: Path, *overrides: str) -> request.Request:
    return request.Request(config_of("method.total_batch_size=60", *overrides), "base", out, out)


def started(made: request.Request, processes: int | None = None, rank: int = 0, heard: Heard | None = None) -> dict[str, float]:
    heard = heard or Heard()
    hardware = replace(made.config.hardware, machine_rank=rank)
    if processes:
        hardware = replace(hardware, num_processes=processes)
    path = request.write(made, made.out / f"request-{rank}.json")
    command = [*launch.launcher(hardware), f"--log-dir={made.out / str(rank)}", *parent.child(path, "pretend")]
    mine = replace(made, config=replace(made.config, hardware=hardware))
    return parent.train(command, {"PYTHONPATH": HERE}, mine, heard, heard.progress)


def test_the_error_of_one_process_ends_all_and_is_told_once(config_of: ConfigOf, tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(TrainingError, match=r"^the last one is out of memory\.$"):
        started(asked(config_of, tmp_path, "name=one_fails", "hardware.num_processes=2"))
    assert time.monotonic() - begun < 50


def test_another_number_of_processes_than_asked_for_does_not_train(config_of: ConfigOf, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"^1 training process was started, and 2 were asked for"):
        started(asked(config_of, tmp_path, "name=counted", "hardware.num_processes=2"), processes=1)


@pytest.mark.slow
def test_a_process_that_is_killed_is_told_by_the_signal(config_of: ConfigOf, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="was ended by SIGKILL"):
        started(asked(config_of, tmp_path, "name=one_is_killed", "hardware.num_processes=2"))


@pytest.mark.slow
def test_two_machines_train_together(config_of: ConfigOf, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    made = asked(config_of, tmp_path, "name=counted", "hardware.num_machines=2", f"hardware.main_address={address}")
    heard, other = Heard(), Heard()
    found: list[Any] = []
    there = threading.Thread(target=lambda: found.append(started(made, rank=1, heard=other)))
    there.start()
    assert started(made, heard=heard) == {"world": 2.0}
    there.join()
    assert found == [{"world": 2.0}]
    assert heard.lines == [({"sum": 1.0}, 1)]
    assert other.lines == []


@pytest.mark.slow
def test_a_training_by_two_processes(random_model: Path, prepared: Path, tmp_path: Path) -> None:
    config = configured(adapter=LoraAdapter(r=4), max_steps=3, logging_steps=1)
    config.hardware = replace(config.hardware, num_processes=2)
    heard = Heard()
    metrics = launch.train(config, str(random_model), prepared, tmp_path / "out", record=heard, progress=heard.progress)
    assert metrics["train/steps"] == 3
    assert [step for values, step in heard.lines if "loss" in values] == [1, 2, 3]
    assert heard.steps == [1, 2, 3]
    assert weights(tmp_path / "out")
    assert not (tmp_path / "out" / launch.REQUEST).exists()


def test_a_training_elsewhere_cannot_be_watched(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"sweep\.pruner=none"):
        launch.train(configured(), "base", prepared, tmp_path, record=Heard(), progress=print, watch=object())  # type: ignore[arg-type]
