"""A training by several processes: torchrun starts them, on this machine and on others, with a request that is written once."""

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from trivium.backends.lines import Progress
from trivium.backends.process import parent, request
from trivium.backends.process.request import Request
from trivium.errors import ConfigError
from trivium.schema import Config, HardwareConfig
from trivium.tracking.tracker import Recorder

if TYPE_CHECKING:
    from trivium.evaluation.probe import Watch

REQUEST = "request.json"
"""The request, in the folder of a training, as long as it lasts: what other machines look for."""
_PATIENCE = 3600
"""Seconds that machines wait for one another."""


def train(
    config: Config,
    base: str,
    prepared: Path,
    out: Path,
    *,
    record: Recorder,
    progress: Progress,
    watch: "Watch | None" = None,
) -> dict[str, float]:
    """What the backend's own `train` does, by `num_processes` × `num_machines` processes; returns the final metrics.

    Raises what that raises, and `ConfigError` when somebody wants to watch.
    """
    if watch is not None:
        raise ConfigError("a training by several processes cannot be watched from here; set sweep.pruner=none.")
    made = Request(config, base, prepared.resolve(), out.resolve())
    path = request.write(made, out / REQUEST)
    try:
        return _run(made, path, config.hardware, record, progress)
    finally:
        path.unlink(missing_ok=True)


def take_part(path: Path, hardware: HardwareConfig, record: Recorder, progress: Progress) -> None:
    """Train, as another machine, what machine 0 asks for in the request at `path`."""
    made = request.read(path)
    other = replace(made.config.hardware, machine_rank=hardware.machine_rank, main_address=hardware.main_address)
    _run(replace(made, config=replace(made.config, hardware=other)), path, other, record, progress)


def _run(made: Request, path: Path, hardware: HardwareConfig, record: Recorder, progress: Progress) -> dict[str, float]:
    module = f"trivium.backends.{made.config.backend.name}.{made.config.method.name}"
    with TemporaryDirectory(prefix="trivium-") as scratch:
        command = [*launcher(hardware), f"--log-dir={scratch}", *parent.child(path.resolve(), module)]
        return parent.train(command, {}, made, record, progress)


def launcher(hardware: HardwareConfig) -> list[str]:
    """The beginning of a command that starts the processes of this machine: torchrun, and where they meet the others."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={hardware.num_processes}"]
    if hardware.num_machines == 1:
        return [*torchrun, "--standalone"]
    return [
        *torchrun,
        f"--nnodes={hardware.num_machines}",
        f"--node-rank={hardware.machine_rank}",
        "--rdzv-backend=static",
        f"--rdzv-endpoint={hardware.main_address}",
        f"--rdzv-conf=timeout={_PATIENCE}",
    ]
