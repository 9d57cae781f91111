"""How a training is cut up: micro-batches, optimiser steps, warm-up."""

import math
from dataclasses import replace

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


def numeric(hardware: HardwareConfig) -> HardwareConfig:
    """Of the machine's settings those alone that the trained weights depend on; the others are as the schema has them."""
    plain = HardwareConfig()
    return replace(
        hardware,
        name=plain.name,
        vendor=plain.vendor,
        memory_gb=plain.memory_gb,
        quantisation=plain.quantisation,
        eval_batch_tokens=plain.eval_batch_tokens,
        dataloader_num_workers=plain.dataloader_num_workers,
        pin_memory=plain.pin_memory,
        memory_limit_gb=plain.memory_limit_gb,
        throttle=plain.throttle,
        machine_rank=plain.machine_rank,
        main_address=plain.main_address,
    )
