"""Whole runs in processes of their own, which are killed without warning; modules are imported once for all of them."""

import json
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from trivium.arms import Arm
from trivium.errors import TriviumError
from trivium.schema import Config

PRELOADED = ["trivium.pipeline", "trivium.audit", "trivium.backends.torch.grpo", "mlflow.store.tracking.sqlalchemy_store"]


def context() -> ForkServerContext:
    """A server that has imported everything and forks."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(PRELOADED)
    return made


def run(config: Config, arms: list[Arm], out: Path) -> None:
    """`task=run`, as the command line does it; the exit code is a failure's."""
    from trivium import pipeline

    with (out.parent / "log").open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        pipeline.run(config, arms, out, "killed")
    except TriviumError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)


@dataclass
class Killed:
    """A run in `out`, started again whenever it was killed."""

    config: Config
    arms: list[Arm]
    out: Path
    rng: random.Random
    context: ForkServerContext = field(default_factory=context)
    kills: list[str] = field(default_factory=list)
    """Where each kill came."""

    def start(self) -> ForkServerProcess:
        """One process at work on it."""
        self.out.mkdir(parents=True, exist_ok=True)
        process = self.context.Process(target=run, args=(self.config, self.arms, self.out))
        process.start()
        return process

    def finish(self, timeout: float = 300) -> int:
        """Let it come to its end; its exit code."""
        process = self.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
        return -1 if process.exitcode is None else process.exitcode

    def kill(self, when: str) -> bool:
        """Start it and kill it: anywhere, while it trains, or while it writes a checkpoint. False if it was done before."""
        process, seen = self.start(), self.size()
        moments: dict[str, Callable[[], bool]] = {
            "anywhere": lambda: True,
            "training": lambda: self.size() > seen + 2000,
            "writing": lambda: any(self.found("checkpoints/.checkpoint-*.tmp")),
        }
        deadline = time.monotonic() + 120
        while process.exitcode is None and not moments[when]():
            assert time.monotonic() < deadline, f"it never came to {when}: {self.out.parent / 'log'}"
            time.sleep(0.001)
        process.join(self.rng.uniform(*{"anywhere": (0, 4), "training": (0, 0.4), "writing": (0, 0.03)}[when]))
        process.kill()
        process.join()
        if process.exitcode == -signal.SIGKILL:
            self.kills.append(when)
        return process.exitcode == -signal.SIGKILL

    def size(self) -> int:
        """Bytes of all its records."""
        return sum(path.stat().st_size for path in self.found("metrics.jsonl"))

    def found(self, pattern: str) -> list[Path]:
        """Files of the run and of its arms; walking through all of them would meet some that are just going."""
        return [*self.out.glob(pattern), *self.out.glob(f"arms/*/{pattern}")]

    def steps(self, arm: str = "") -> list[int]:
        """The steps that its records tell of, in their order."""
        path = self.out / arm / "metrics.jsonl"
        lines = path.read_text().splitlines() if path.is_file() else []
        return [step for line in lines if line.endswith("}") and (step := json.loads(line).get("step"))]
