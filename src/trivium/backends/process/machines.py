"""A run on several machines: machine 0 does it, in a folder that all of them see; the others take part in its trainings."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trivium import tiers
from trivium.backends.process.child import Silent
from trivium.backends.process.launch import REQUEST
from trivium.console import Screen
from trivium.errors import ConfigError, TriviumError
from trivium.recording import terminable
from trivium.schema import Config

_TICK = 0.5


def words(config: Config, keys: Sequence[str], multirun: bool) -> list[str]:
    """What is added to the command line of a machine that only takes part: it writes no `.hydra` into the run's folder.

    `keys` are those that were set. Raises `ConfigError` where the machines could not meet.
    """
    if config.hardware.num_machines == 1:
        return []
    if multirun:
        raise ConfigError(
            "-m makes many runs, and several machines (hardware.num_machines) meet for one; leave one of them out."
        )
    if "hydra.run.dir" not in keys:
        raise ConfigError(
            "hardware.num_machines needs a folder that all machines see: give hydra.run.dir=<folder>, the same on each of them."
        )
    return ["hydra.output_subdir=null"] if config.hardware.machine_rank else []


def take_part(config: Config, out: Path) -> None:
    """Join every training that machine 0 begins in `out`, until its run has trained.

    Raises `TriviumError` when that run failed, and whatever ends a training.
    """
    from trivium.backends.process import launch

    tiers.require(config)
    screen, before = Screen(), _changed(out / "result.json")
    screen.say(f"machine {config.hardware.machine_rank} waits for machine 0 to train in {out}")
    joined: set[tuple[Path, int]] = set()
    with terminable():
        while not _trained(out, before):
            for path in [out / REQUEST, *sorted(out.glob(f"arms/*/{REQUEST}"))]:
                if (change := _changed(path)) and (path, change) not in joined:
                    joined.add((path, change))
                    screen.say(f"training in {path.parent}")
                    launch.take_part(path, config.hardware, Silent(), _nothing)
            time.sleep(_TICK)
    screen.say("machine 0 has trained")


def _trained(out: Path, before: int) -> bool:
    """Whether the run has been through its training since; `before` is the change of an earlier run's result."""
    path = out / "result.json"
    if _changed(path) == before:
        return False
    result: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if result["status"] not in ("running", "ok") and "train" not in result["stages"]:
        raise TriviumError(f"the run of machine 0 in {out} has {result['status']}: {result['error']}")
    return "train" in result["stages"] or result["status"] != "running"


def _nothing(_done: int, _steps: int, _metrics: Mapping[str, float]) -> None:
    """Machine 0 shows how far it is."""


def _changed(path: Path) -> int:
    """Time of the last change (ns), 0 for a file that is not there."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
