"""Memory: how much was taken, activations computed again instead of kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from trivium.backends.measure import PEAK
from trivium.errors import TrainingError
from trivium.schema import Config

_FULL = ("alloc", "out of memory", "insufficient memory", "resource limit")
"""What MLX's complaints about memory say, on its several devices."""


def peak() -> dict[str, float]:
    """The most memory (GB) that MLX held at once since the training began."""
    return {PEAK: mx.get_peak_memory() / 1e9}


@contextmanager
def measured(config: Config) -> Iterator[None]:
    """Count the peak from here on, and turn running out of memory into a sentence."""
    mx.reset_peak_memory()
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not any(word in str(error).lower() for word in _FULL) or isinstance(error, TrainingError):
            raise
        raise TrainingError(
            f"{config.hardware.device} ran out of memory; lower hardware.per_device_train_batch_size (now "
            f"{config.hardware.per_device_train_batch_size}; the total batch stays {config.method.total_batch_size}) or "
            "model.max_length, set hardware.gradient_checkpointing=true, or train on a quantised base with adapter=qlora."
        ) from error


def checkpoint_layers(model: Any) -> None:
    """Let this model's layers, and no other's, compute their activations again in the backward pass."""
    for layer in model.layers:
        layer.__class__ = _checkpointed(layer.__class__)
        for module in layer.modules():
            if type(module) is nn.Dropout:
                module.__class__ = _KeyedDropout


_KEY: ContextVar[list[mx.array] | None] = ContextVar("key", default=None)
"""What the dropout inside a layer draws from, so that it draws the same when the layer is computed again."""


class _KeyedDropout(nn.Dropout):
    def __call__(self, x: mx.array) -> mx.array:
        key = _KEY.get()
        if key is None or not self.training or self._p_1 == 1:
            return super().__call__(x)
        key[0], own = mx.random.split(key[0])
        return mx.stop_gradient(mx.random.bernoulli(self._p_1, x.shape, key=own)) * x / self._p_1


@cache
def _checkpointed(kind: type) -> type:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not self.training:
            return kind.__call__(self, *args, **kwargs)

        def run(parameters: Any, key: mx.array, *args: Any, **kwargs: Any) -> Any:
            self.update(parameters)
            token = _KEY.set([key])
            try:
                return kind.__call__(self, *args, **kwargs)
            finally:
                _KEY.reset(token)

        key = mx.random.randint(0, 2**31 - 1, (2,), mx.uint32)
        return mx.checkpoint(run)(self.trainable_parameters(), key, *args, **kwargs)

    return type(kind.__name__, (kind,), {"__call__": call})
