"""Schemas of the groups `hardware` and `backend`."""

from dataclasses import dataclass

from trivium.schema.fields import opt


@dataclass
class HardwareConfig:
    """A budget: what the machine can hold at once."""

    name: str = opt("cpu", "Label.")
    device: str = opt("cpu", "Where tensors live.", choices=("cpu", "cuda", "mps"))
    dtype: str = opt("float32", "Weights' type while training.", choices=("float32", "bfloat16", "float16"))
    per_device_train_batch_size: int = opt(64, "Micro-batch: sequences held at once.", ge=1)
    gradient_checkpointing: bool = opt(False, "Recompute activations in the backward pass to save memory.")
    attn_implementation: str = opt("sdpa", "Attention kernel.", choices=("eager", "sdpa", "flash_attention_2"))
    eval_batch_tokens: int = opt(4096, "Padded tokens scored at once in evaluation.", ge=64)
    memory_limit_gb: float | None = opt(
        None, "Most memory (GB) that backend=mlx takes, kept resident where the system can; null leaves MLX's own limit.", gt=0
    )
    throttle: float = opt(0.0, "Share of the time that backend=mlx rests between steps, against heat.", ge=0, lt=1)


@dataclass
class BackendConfig:
    """Which library trains."""

    name: str = opt("torch", "Backend.", choices=("torch", "mlx"))
