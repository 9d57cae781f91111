"""How a training is cut up: micro-batches, optimiser steps, warm-up."""

import math
from dataclasses import replace

from trivium.errors import ConfigError
from trivium.schema import GrpoMethod, HardwareConfig, SftMethod


def batch_shape(method: SftMethod | GrpoMethod, hardware: HardwareConfig) -> tuple[int, int]:
    """Micro-batch and accumulation steps of one process, whose product with the number of processes is `total_batch_size`.

    Raises `ConfigError` when none fits.
    """
    total, processes = method.total_batch_size, world_size(hardware)
    micro = min(hardware.per_device_train_batch_size, max(1, total // processes))
    at_once = micro * processes
    if total % at_once:
        told = f" × {processes} processes (hardware.num_processes × num_machines)" if processes > 1 else ""
        each = f"hardware.per_device_train_batch_size={micro}{told}"
        if micro < hardware.per_device_train_batch_size:
            each = f"{at_once}: {micro} for each of {processes} processes (hardware.num_processes × num_machines)"
        raise ConfigError(
            f"method.total_batch_size={total} is not a multiple of {each}; set one of them so that it is, for example "
            f"method.total_batch_size={at_once * -(-total // at_once)}."
        )
    return micro, total // at_once


def world_size(hardware: HardwareConfig) -> int:
    """Processes that train together."""
    return hardware.num_processes * hardware.num_machines


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
        eval_quantised=plain.eval_quantised,
        dataloader_num_workers=plain.dataloader_num_workers,
        pin_memory=plain.pin_memory,
        memory_limit_gb=plain.memory_limit_gb,
        throttle=plain.throttle,
        machine_rank=plain.machine_rank,
        main_address=plain.main_address,
    )


def decisive(method: SftMethod | GrpoMethod) -> SftMethod | GrpoMethod:
    """Of a method's settings those alone that the trained weights depend on; the others are as the schema has them."""
    if isinstance(method, GrpoMethod):
        watching = ("logging_steps", "completions_steps", "save_steps", "save_total_limit", "gold_steps", "gold_prompts")
    else:
        picks = method.metric_for_best_model is not None
        watching = ("logging_steps", "save_steps", "save_total_limit", *(() if picks else ("eval_steps",)))
    plain = type(method)()
    return replace(method, **{name: getattr(plain, name) for name in watching})
