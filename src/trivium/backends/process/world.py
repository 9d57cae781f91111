"""Where several processes find each other: as many as were asked for, with the same request, or none trains."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from trivium.backends.process.request import Request
from trivium.backends.shape import world_size
from trivium.errors import TrainingError

_PATIENCE = timedelta(hours=6)
"""How long one waits for the others: a process that died is noticed sooner, by whoever started it."""


@contextmanager
def joined(request: Request) -> Iterator[None]:
    """The process group of a training while it lasts; nothing where it is one process.

    Raises `TrainingError` when the processes that were started are not those that were asked for.
    """
    wanted, found = world_size(request.config.hardware), int(os.environ.get("WORLD_SIZE", "1"))
    if found != wanted:
        hardware = request.config.hardware
        raise TrainingError(
            f"{found} training {'processes were' if found > 1 else 'process was'} started, and {wanted} were asked for "
            f"(hardware.num_processes={hardware.num_processes} × hardware.num_machines={hardware.num_machines}); start "
            "trivium itself on every machine and let it start them."
        )
    if wanted == 1:
        yield
        return
    import torch
    from torch import distributed

    if request.config.hardware.device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("gloo" if request.config.hardware.device == "cpu" else None, timeout=_PATIENCE)
    try:
        _require_agreement(request.key)
        yield
    finally:
        distributed.destroy_process_group()


def _require_agreement(key: str) -> None:
    from torch import distributed

    keys: list[str] = [""] * distributed.get_world_size()
    distributed.all_gather_object(keys, key)
    if len(set(keys)) > 1:
        raise TrainingError(
            "the machines were given different settings, base models, data or folders; start the same command, with the same "
            "hydra.run.dir, on all of them, so that only hardware.machine_rank differs."
        )
