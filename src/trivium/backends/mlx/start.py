"""Where a training starts: the base model in MLX, and a new adapter with the very weights that PyTorch would give it."""

from typing import Any

import mlx.core as mx

from trivium.models import mlx
from trivium.models.adapters import attach
from trivium.models.load import loading
from trivium.models.low_rank import scaling
from trivium.models.quiet import quiet
from trivium.schema import Config, ModelConfig, QloraAdapter


def add_adapter(config: Config, model: Any, base: str) -> dict[str, Any]:
    """Put a new adapter around a model's layers, and let it alone be trained; returns PEFT's configuration of it.

    With `adapter=qlora` the layers are quantised first. Raises `ConfigError` when the adapter does not fit the model.
    """
    adapter = config.adapter
    settings, tensors = _as_peft_makes_it(config, base)
    if isinstance(adapter, QloraAdapter):
        mlx.quantise(model, adapter)
    model.freeze()
    mlx.add_lora(model, mlx.to_mlx(tensors), scaling(settings, adapter.r), adapter.lora_dropout)
    return settings


def _as_peft_makes_it(config: Config, base: str) -> tuple[dict[str, Any], dict[str, mx.array]]:
    """A new adapter's configuration and tensors under PEFT's names, made around a model without weights."""
    import torch
    from peft import get_peft_model_state_dict

    with quiet(), loading(base, "the configuration"):
        skeleton = _skeleton(config.model, base, getattr(torch, config.hardware.dtype))
    tuned = attach(skeleton, config.adapter, config.seed)
    settings = {**tuned.peft_config["default"].to_dict(), "inference_mode": True}
    tensors = get_peft_model_state_dict(tuned, save_embedding_layers=False)
    return settings, {name: mx.array(tensor.float().numpy()) for name, tensor in tensors.items()}


def _skeleton(model: ModelConfig, base: str, dtype: Any) -> Any:
    """The model in PyTorch with weights that all share one number, so that they take no memory."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    settings = AutoConfig.from_pretrained(base, revision=model.revision, trust_remote_code=False)
    with torch.device("meta"):
        made = AutoModelForCausalLM.from_config(settings, dtype=dtype, trust_remote_code=False)
    for module in made.modules():
        for name, weight in module.named_parameters(recurse=False):
            empty = torch.zeros((), dtype=weight.dtype).expand(weight.shape)
            setattr(module, name, torch.nn.Parameter(empty, requires_grad=False))
    return made
