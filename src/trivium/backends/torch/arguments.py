"""What the trainers of all methods are told alike: batches, schedule, checkpoints, logging, the machine."""

import math
from pathlib import Path
from typing import Any

from trivium.errors import ConfigError
from trivium.schema import Config, GrpoMethod, HardwareConfig, SftMethod


def batch_shape(method: SftMethod | GrpoMethod, hardware: HardwareConfig) -> tuple[int, int]:
    """Micro-batch and accumulation steps, whose product is `total_batch_size`; raises `ConfigError` when none fits."""
    micro = min(hardware.per_device_train_batch_size, method.total_batch_size)
    if method.total_batch_size % micro:
        raise ConfigError(
            f"method.total_batch_size={method.total_batch_size} is not a multiple of "
            f"hardware.per_device_train_batch_size={micro}; make it one, or choose a micro-batch that divides it."
        )
    return micro, method.total_batch_size // micro


def common_arguments(config: Config, folder: Path, steps: int) -> dict[str, Any]:
    """Arguments of Transformers' `TrainingArguments` for a training of so many optimiser steps; checkpoints go to `folder`."""
    method, hardware = config.method, config.hardware
    micro, accumulation = batch_shape(method, hardware)
    return {
        "output_dir": str(folder),
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": accumulation,
        "max_steps": steps,
        "learning_rate": method.learning_rate,
        "lr_scheduler_type": method.lr_scheduler_type,
        "warmup_steps": math.ceil(steps * method.warmup_ratio),
        "optim": method.optim,
        "weight_decay": method.weight_decay,
        "max_grad_norm": method.max_grad_norm,
        "logging_steps": method.logging_steps,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps" if method.save_steps else "no",
        "save_steps": method.save_steps or steps,
        "save_total_limit": method.save_total_limit,
        "gradient_checkpointing": hardware.gradient_checkpointing,
        "bf16": hardware.dtype == "bfloat16",
        "fp16": hardware.dtype == "float16",
        "use_cpu": hardware.device == "cpu",
        "dataloader_pin_memory": hardware.device == "cuda",
        "remove_unused_columns": False,
        "seed": config.seed,
        "report_to": "none",
        "disable_tqdm": True,
    }
