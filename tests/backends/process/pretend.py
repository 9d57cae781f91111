"""Trainings that a child process can run in no time; `config.name` says what happens in them."""

import logging
import os
import signal
import time
from pathlib import Path
from typing import Any

from trivium.backends.interrupt import graceful_stop
from trivium.backends.lines import require_finished
from trivium.errors import ConfigError, GateError, TrainingError
from trivium.schema import Config
from trivium.tracking.tracker import Recorder


def train(
    config: Config, base: str, prepared: Path, out: Path, *, record: Recorder, progress: Any, watch: None
) -> dict[str, float]:
    """Do what the configuration's name says."""
    return globals()[config.name](config, base, prepared, out, record, progress)


def whole(config: Config, base: str, prepared: Path, out: Path, record: Recorder, progress: Any) -> dict[str, float]:
    """A training that goes well."""
    print("a library talks", flush=True)
    logging.getLogger("trivium.pretend").warning("a %s of ours", "word")
    for step in range(1, 4):
        record.metrics({"loss": 1 / 3 / step, "nan": float("nan")}, step)
        progress(step, 3, {"loss": 1 / step})
    record.table("completions", {"prompt": ["é" * 100_000, None], "reward": [0.1, float("nan")]}, 3)
    (out / "adapter").mkdir(parents=True)
    (out / "adapter" / "told.txt").write_text(f"{base} {prepared} {config.method.learning_rate!r}", encoding="utf-8")
    return {"train/loss": 0.1 + 0.2}


def wrong(*_: Any) -> dict[str, float]:
    """Two sentences for the user."""
    raise ConfigError(["this is wrong.", "and that."])


def gate(*_: Any) -> dict[str, float]:
    """Another exit code."""
    raise GateError("no further.")


def full(_config: Config, _base: str, _prepared: Path, out: Path, *_: Any) -> dict[str, float]:
    """An error of the operating system."""
    (out / "missing" / "file").write_text("?")
    return {}


def broken(*_: Any) -> dict[str, float]:
    """A mistake of ours."""
    raise KeyError("mistake")


def killed(*_: Any) -> dict[str, float]:
    """What happens when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def silent(*_: Any) -> dict[str, float]:
    """An end without a word."""
    os._exit(7)


def long(_config: Config, _base: str, _prepared: Path, out: Path, record: Recorder, progress: Any) -> dict[str, float]:
    """A training of a minute that can be stopped, and that leaves its process's number."""
    with graceful_stop() as stop:
        (out / "pid").write_text(str(os.getpid()))
        for step in range(1, 601):
            time.sleep(0.1)
            progress(step, 600, {})
            require_finished(stop, step, 600)
    return {}


def early(_config: Config, _base: str, _prepared: Path, out: Path, *_: Any) -> dict[str, float]:
    """A minute before training, in which nothing can be saved."""
    (out / "pid").write_text(str(os.getpid()))
    time.sleep(60)
    return {}


def one_fails(*_: Any) -> dict[str, float]:
    """Of several processes the last one fails, and the others wait for it."""
    from torch import distributed

    if distributed.get_rank() == distributed.get_world_size() - 1:
        raise TrainingError("the last one is out of memory.")
    distributed.barrier()
    time.sleep(60)
    return {}


def one_is_killed(*_: Any) -> dict[str, float]:
    """Of several processes the last one is killed."""
    from torch import distributed

    if distributed.get_rank() == distributed.get_world_size() - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)
    return {}


def counted(_config: Config, _base: str, _prepared: Path, _out: Path, record: Recorder, progress: Any) -> dict[str, float]:
    """Every process adds its number."""
    import torch
    from torch import distributed

    numbers = torch.tensor(float(distributed.get_rank()))
    distributed.all_reduce(numbers)
    record.metrics({"sum": float(numbers)}, 1)
    return {"world": float(distributed.get_world_size())}
