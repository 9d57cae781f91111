"""Schemas of the groups `hardware`, `backend` and `plan`."""

from dataclasses import dataclass

from trivium.schema.fields import opt


@dataclass
class HardwareConfig:
    """A budget: what the machine can hold at once."""

    name: str = opt("cpu", "Label; `auto` stands for the tier that this machine is found to be.")
    device: str = opt("cpu", "Where tensors live.", choices=("cpu", "cuda", "mps"))
    vendor: str | None = opt(
        None, "Maker of the accelerator that these settings are for; null for any.", choices=("nvidia", "amd", "apple")
    )
    memory_gb: float | None = opt(
        None, "Memory of one device in GB (10⁹ bytes), which the plan is held against; null takes what this machine has.", gt=0
    )
    dtype: str = opt("float32", "Weights' type while training.", choices=("float32", "bfloat16", "float16"))
    quantisation: list[int] = opt([4, 8], "Bits a weight that adapter=qlora may use here; empty for none.", choices=(4, 8))
    per_device_train_batch_size: int = opt(64, "Micro-batch: sequences held at once by one process.", ge=1)
    gradient_checkpointing: bool = opt(False, "Recompute activations in the backward pass to save memory.")
    attn_implementation: str = opt("sdpa", "Attention kernel.", choices=("eager", "sdpa", "flash_attention_2"))
    eval_batch_tokens: int = opt(4096, "Padded tokens scored at once in evaluation.", ge=64)
    eval_quantised: bool = opt(
        False,
        "With adapter=qlora: evaluate over the quantised base, too, where the plain one does not fit; the untuned model is "
        "then measured quantised as well.",
    )
    dataloader_num_workers: int = opt(0, "Processes that load batches beside the training; 0 loads them in it.", ge=0)
    pin_memory: bool = opt(False, "Page-locked batches, which copy faster to a CUDA device.")
    memory_limit_gb: float | None = opt(
        None, "Most memory (GB) that training takes of the device; null leaves the library's own limit.", gt=0
    )
    throttle: float = opt(0.0, "Share of the time that training rests between steps, against heat.", ge=0, lt=1)
    num_processes: int = opt(1, "Training processes on one machine, one for each device.", ge=1)
    num_machines: int = opt(1, "Machines that train together, each with num_processes.", ge=1)
    machine_rank: int = opt(0, "Which of them this one is; 0 prepares, evaluates and records.", ge=0)
    main_address: str = opt("127.0.0.1:29500", "Host and port where the processes of several machines meet: machine 0's.")
    parallel: str = opt(
        "ddp",
        "What several processes share: ddp nothing, fsdp2 weights, gradients and optimiser states.",
        choices=("ddp", "fsdp2"),
    )


@dataclass
class BackendConfig:
    """Which library trains."""

    name: str = opt("torch", "Backend.", choices=("torch", "mlx", "unsloth"))
    python: str = opt(
        ".venv-unsloth/bin/python", "Interpreter of the environment of backend=unsloth, which `make unsloth` makes."
    )


@dataclass
class PlanConfig:
    """The forecast of memory, time and price before a run."""

    name: str = opt("warn", "Label.")
    gate: str = opt(
        "warn",
        "What a plan that does not fit does to a run: warn, strict (exit 3), off (no plan).",
        choices=("warn", "strict", "off"),
    )
    tight: float = opt(0.9, "Share of the memory from which on a plan is tight.", gt=0, le=1)
    price_per_hour: float | None = opt(None, "Price of the machine an hour, in any currency; null tells none.", ge=0)
    tokens_per_second: float | None = opt(
        None, "Training throughput to reckon with, tokens a second; null takes that of earlier runs.", gt=0
    )


@dataclass
class AlertsConfig:
    """What is watched while a model trains."""

    name: str = opt("default", "Label.")
    enabled: bool = opt(True, "Watch at all.")
    divergence: float = opt(
        2.0, "SFT: alert when the smoothed loss is this many times its lowest value so far, and beyond its own noise.", gt=1
    )
    patience: int = opt(3, "Metric lines in a row that an alert takes.", ge=1)
    collapse: float = opt(0.9, "GRPO: alert when this share of groups has rewards without any spread.", gt=0, le=1)
    entropy: float = opt(0.01, "GRPO: alert when the policy's entropy (nats a token) falls below this.", ge=0)
    repetition: float = opt(0.5, "GRPO: alert when this share of the answers' four-word runs is a repetition.", gt=0, le=1)
    length_drift: float = opt(
        4.0, "GRPO: alert when completions are this many times longer, or shorter, than those of the first step.", gt=1
    )
    webhook: str | None = opt(
        None, "env:NAME of an environment variable that holds the URL which is sent every alert as JSON; null for none."
    )
