"""What the trainers of all methods are told alike: batches, schedule, checkpoints, logging, the machine."""

from pathlib import Path
from typing import Any

from trivium.backends.shape import batch_shape, warmup_steps
from trivium.schema import Config


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
        "warmup_steps": warmup_steps(method, steps),
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
        "ddp_find_unused_parameters": False,
        "dataloader_pin_memory": hardware.pin_memory,
        "dataloader_num_workers": hardware.dataloader_num_workers,
        "remove_unused_columns": False,
        "seed": config.seed,
        "report_to": "none",
        "disable_tqdm": True,
    }
