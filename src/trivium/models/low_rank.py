"""What a LoRA adapter in PEFT's files adds to the weights of its base model."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivium.errors import ModelError
from trivium.models import checks

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
_PREFIX = "base_model.model."
_UNFOLDABLE = (
    "use_dora",
    "modules_to_save",
    "lora_bias",
    "layer_replication",
    "alpha_pattern",
    "trainable_token_indices",
    "target_parameters",
    "use_qalora",
    "use_bdlora",
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "monteclora_config",
)
"""Settings of PEFT with which an adapter is more than a product of two matrices."""


@dataclass(frozen=True)
class LowRank:
    """`scale · b a`, float32: `a` (r, in), `b` (out, r)."""

    a: Any
    b: Any
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        """Of the weight that it is for: (out, in)."""
        return self.b.shape[0], self.a.shape[1]

    def __call__(self, rows: Any, first: int) -> Any:
        """Add it to some rows of the weight, float32 (n, in), in place."""
        return rows.addmm_(self.b[first : first + len(rows)], self.a, alpha=self.scale)


def read_adapter(folder: Path) -> dict[str, LowRank]:
    """By name of the weight that each is for, as the base model's files have it.

    Raises `ModelError` when the adapter is damaged or is not plain LoRA.
    """
    from safetensors.torch import load_file

    def sentence(reason: str) -> str:
        return f"could not read the adapter in {folder} ({reason}); its files may be damaged: train again."

    with checks.explained(sentence):
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        tensors = {name.removeprefix(_PREFIX): tensor.float() for name, tensor in load_file(folder / WEIGHTS).items()}
    _require_plain(config, tensors, folder)
    modules = [name.removesuffix(".lora_A.weight") for name in tensors if name.endswith(".lora_A.weight")]
    pairs = {name: (tensors.get(f"{name}.lora_A.weight"), tensors.get(f"{name}.lora_B.weight")) for name in modules}
    if not pairs or len(tensors) != 2 * len(pairs) or any(b is None for _, b in pairs.values()):
        raise ModelError(f"{folder / WEIGHTS} does not hold pairs of lora_A and lora_B; train again.")
    return {f"{name}.weight": _low_rank(a, b, config) for name, (a, b) in pairs.items()}


def scaling(config: Mapping[str, Any], rank: int) -> float:
    """What PEFT multiplies B·A with, by an adapter's configuration."""
    return float(config["lora_alpha"]) / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _low_rank(a: Any, b: Any, config: dict[str, Any]) -> LowRank:
    scale = scaling(config, a.shape[0])  # where rank_pattern is set it is not config["r"]
    return LowRank(b.T.contiguous(), a.T.contiguous(), scale) if config.get("fan_in_fan_out") else LowRank(a, b, scale)


def _require_plain(config: dict[str, Any], tensors: dict[str, Any], folder: Path) -> None:
    odd = [f"{key}={config[key]!r}" for key in _UNFOLDABLE if config.get(key)]
    odd += [f"bias={config['bias']!r}"] if config.get("bias", "none") != "none" else []
    odd += [f"peft_type={config.get('peft_type')!r}"] if config.get("peft_type") != "LORA" else []
    odd += [name for name in tensors if not name.endswith((".lora_A.weight", ".lora_B.weight"))]
    if odd:
        raise ModelError(
            f"the adapter in {folder} is not plain LoRA ({odd[0]}) and is not merged here; export it as it is "
            "(export=adapter), or train with adapter=lora."
        )
