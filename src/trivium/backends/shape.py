"""How a training is cut up: micro-batches, optimiser steps, warm-up."""

import math

from trivium.errors import ConfigError
from trivium.schema import GrpoMethod, HardwareConfig, SftMethod


def batch_shape(method: SftMethod | GrpoMethod, hardware: HardwareConfig) -> tuple[int, int]:
    """Micro-batch and accumulation steps, whose product is `total_batch_size`; raises `ConfigError` when none fits."""
    micro = min(hardware.per_device_train_batch_size, method.total_batch_size)
    if method.total_batch_size % micro:
        raise ConfigError(
            f"method.total_batch_size={method.total_batch_size} is not a multiple of "
            f"hardware.per_device_train_batch_size={micro}; make it one, or choose a micro-batch that divides it."
        )
    return micro, method.total_batch_size // micro


def warmup_steps(method: SftMethod | GrpoMethod, steps: int) -> int:
    """Optimiser steps over which the learning rate rises."""
    return math.ceil(steps * method.warmup_ratio)
