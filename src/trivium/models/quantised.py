"""Bases that are quantised while an adapter is trained on them (`adapter=qlora`), with bitsandbytes."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from trivium.schema import Config, HardwareConfig, QloraAdapter

WAY_OUT = "install it (pip install 'trivium[qlora]')"
GROUP_SIZE = 64
"""Weights that share a scale: what Transformers lets bitsandbytes take."""


def installed() -> bool:
    """Whether bitsandbytes is there."""
    return find_spec("bitsandbytes") is not None


def for_evaluation(config: Config) -> QloraAdapter | None:
    """How the base is quantised while models are evaluated; None where it is not, whatever it was in training."""
    it = config.adapter
    if not (config.hardware.eval_quantised and isinstance(it, QloraAdapter)):
        return None
    return QloraAdapter(bits=it.bits, group_size=it.group_size, quant_type=it.quant_type, double_quant=it.double_quant)


def arguments(adapter: QloraAdapter, hardware: HardwareConfig) -> dict[str, Any]:
    """What Transformers' `from_pretrained` is told, so that the base's linear layers are quantised while they are read.

    The head, the embedding and the norms stay in `hardware.dtype`: the norms of the architectures read here compute in float32
    whatever type their weights have. A quantised layer cannot be moved afterwards, so it is put on the device at once.
    """
    import torch
    from transformers import BitsAndBytesConfig

    settings = BitsAndBytesConfig(
        load_in_4bit=adapter.bits == 4,
        load_in_8bit=adapter.bits == 8,
        bnb_4bit_quant_type=adapter.quant_type,
        bnb_4bit_use_double_quant=adapter.double_quant,
        bnb_4bit_compute_dtype=getattr(torch, hardware.dtype),
    )
    return {"quantization_config": settings, "device_map": {"": _device(hardware.device)}}


def _device(device: str) -> Any:
    """The device by its number where there may be several: this process's own."""
    import torch

    return torch.cuda.current_device() if device == "cuda" else device


def settled(model: Any) -> Any:
    """The model, which computes on a processor as it does elsewhere.

    Where a processor has instructions for it, bitsandbytes rearranges 4-bit weights for good at the first evaluation, with
    coarser scales and only for some widths.
    """
    from bitsandbytes.nn import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False
    return model


@contextmanager
def adapter_kept(model: Any) -> Iterator[None]:
    """Keep the trainable weights as they are while a trainer is built.

    TRL makes the adapter of a quantised model bfloat16, where small updates are rounded away; on the plain base it is float32.
    """
    before = {name: p.data for name, p in model.named_parameters() if p.requires_grad}
    yield
    for name, parameter in model.named_parameters():
        if name in before:
            parameter.data = before[name]
