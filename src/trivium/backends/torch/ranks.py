"""The processes that train together: who writes and speaks, and what they agree on. Alone, a process agrees with itself.

All but sums of tensors on an accelerator goes over the CPU, so nothing here waits for a device.
"""

import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from trivium.backends.interrupt import Stop
from trivium.backends.shape import world_size
from trivium.errors import TrainingError
from trivium.schema import HardwareConfig

T = TypeVar("T")


def count() -> int:
    """Processes that train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """The number of this one, from 0."""
    return distributed.get_rank() if count() > 1 else 0


def first() -> bool:
    """Whether this is the one that writes and speaks."""
    return rank() == 0


def require(hardware: HardwareConfig) -> None:
    """Raise `TrainingError` unless as many processes train together as are asked for."""
    if count() != world_size(hardware):
        raise TrainingError(
            f"{count()} processes train together, and {world_size(hardware)} were asked for (hardware.num_processes × "
            "hardware.num_machines); start trivium itself and let it start them."
        )


def together() -> None:
    """Wait for all."""
    if count() > 1:
        distributed.all_reduce(torch.zeros(1))


def shared(make: Callable[[], T]) -> T:
    """What the first process makes, something small, in all of them."""
    if count() == 1:
        return make()
    value = [make() if first() else None]
    distributed.broadcast_object_list(value, src=0)
    return value[0]  # type: ignore[return-value]


def total(values: Tensor) -> Tensor:
    """The sum over the processes."""
    if count() > 1:
        distributed.all_reduce(values)
    return values


def sums(values: Mapping[str, float]) -> dict[str, float]:
    """The sums over the processes, by name; a name that is not everywhere counts where it is."""
    parts: list[Any] = [dict(values)]
    if count() > 1:
        parts *= count()
        distributed.all_gather_object(parts, dict(values))
    found: Counter[str] = Counter()
    for part in parts:
        found.update(part)
    return dict(found)


def agree(stop: Stop) -> bool:
    """Whether any process was asked to stop; then all are."""
    if count() > 1:
        asked = torch.tensor(int(signal.Signals[stop.signal]) if stop.signal else 0)
        distributed.all_reduce(asked, distributed.ReduceOp.MAX)
        stop.signal = signal.Signals(int(asked)).name if asked else None
    return bool(stop)


@contextmanager
def holding(lock: AbstractContextManager[Any]) -> Iterator[None]:
    """A lock that the first process holds for all."""
    with lock if first() else _nothing():
        together()
        yield
        together()


@contextmanager
def writing(new: AbstractContextManager[Any]) -> Iterator[Any]:
    """A folder that the first process makes, and puts into its place at the end; all write into it."""
    with new if first() else _nothing() as folder:
        yield shared(lambda: folder)
        together()
    together()


@contextmanager
def _nothing() -> Iterator[None]:
    yield
