"""Bytes of what stays: weights, adapter, gradients, optimiser states."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from trivium.planner.anatomy import Anatomy, Linear
from trivium.schema import Config, FullAdapter, LoraAdapter, QloraAdapter

WIDTHS = {"float32": 4, "bfloat16": 2, "float16": 2}
"""Bytes of a weight."""
ADAPTER_WIDTH = 4
"""PEFT keeps low-rank weights in float32, whatever type the base has."""
_BLOCK = 64
"""Weights that share a scale in bitsandbytes' 4 bits; 256 of these scales share one again where they are quantised too."""


def width(config: Config) -> int:
    """Bytes of one of the base's weights, and of what is computed with it."""
    return WIDTHS[config.hardware.dtype]


def targets(model: Anatomy, adapter: LoraAdapter | FullAdapter) -> tuple[Linear, ...]:
    """The linear layers that an adapter is put on, as PEFT chooses them."""
    if isinstance(adapter, FullAdapter):
        return ()
    names = adapter.target_modules
    first = 0 if adapter.num_layers is None else model.layers - adapter.num_layers
    inside = [linear for linear in model.linears if linear.block is None or linear.block >= first]
    if names == "all-linear":
        return tuple(inside)
    if isinstance(names, str):
        return tuple(linear for linear in inside if re.fullmatch(names, linear.name))
    return tuple(linear for linear in inside if any(linear.name == n or linear.name.endswith(f".{n}") for n in names))


def adapter_parameters(model: Anatomy, adapter: LoraAdapter | FullAdapter) -> int:
    """Weights of the low-rank matrices; 0 where every weight trains."""
    if isinstance(adapter, FullAdapter):
        return 0
    return sum(adapter.r * (linear.inputs + linear.outputs) for linear in targets(model, adapter))


def trained(model: Anatomy, adapter: LoraAdapter | FullAdapter) -> int:
    """Weights that get gradients."""
    return model.parameters if isinstance(adapter, FullAdapter) else adapter_parameters(model, adapter)


def trained_width(config: Config) -> int:
    """Bytes of each of them."""
    return width(config) if isinstance(config.adapter, FullAdapter) else ADAPTER_WIDTH


def base_bytes(model: Anatomy, config: Config, quantised: bool = True) -> float:
    """The base's weights, quantised as they are while an adapter trains on them unless that is not asked for."""
    wide = width(config)
    if not (quantised and isinstance(config.adapter, QloraAdapter)):
        return model.parameters * wide
    inside = sum(linear.inputs * linear.outputs for linear in model.linears)
    if config.backend.name == "mlx":  # it quantises the embedding and the head as well
        return model.parameters * (config.adapter.bits / 8 + 2 * wide / config.adapter.group_size)
    return inside * _bytes_each(config.adapter) + (model.parameters - inside) * wide


def _bytes_each(adapter: QloraAdapter) -> float:
    """Bytes of a quantised weight and its share of the scales."""
    if adapter.bits == 8:
        return 1.0
    scale = 1 / _BLOCK + 4 / (_BLOCK * 256) if adapter.double_quant else 4 / _BLOCK
    return 0.5 + scale


def optimiser_bytes(model: Anatomy, config: Config) -> float:
    """The optimiser's states."""
    told = _optimisers().get(config.method.optim, {"copies": 2})
    each = told["bytes"] if "bytes" in told else told["copies"] * trained_width(config)
    return float(trained(model, config.adapter) * each)


def knows_optimiser(name: str) -> bool:
    """Whether the bytes of an optimiser's states are known; others are reckoned as AdamW's."""
    return name in _optimisers()


@cache
def _optimisers() -> dict[str, dict[str, Any]]:
    import yaml

    found: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("optimisers.yaml").read_text(encoding="utf-8"))
    return found
