"""Which weights train: low-rank adapters on a frozen base, or all of them."""

from collections.abc import Callable
from typing import Any

from trivium.errors import ConfigError
from trivium.schema import FullAdapter, LoraAdapter


def attach(model: Any, adapter: LoraAdapter | FullAdapter, seed: int, wrap: Callable[[Any, Any], Any] | None = None) -> Any:
    """The model with its trainable weights set, a new adapter initialised from `seed`.

    `wrap` puts an adapter of the given `LoraConfig` around the model, as `peft.get_peft_model` does.
    Raises `ConfigError` when `target_modules` match nothing, or the head, whose adapter the fused loss would not train.
    """
    from transformers import set_seed

    set_seed(seed)
    if isinstance(adapter, FullAdapter):
        return model.requires_grad_(True)
    from peft import get_peft_model

    names = adapter.target_modules
    if "lm_head" in ([names] if isinstance(names, str) else names):
        raise ConfigError("adapter.target_modules holds lm_head, which cannot be adapted; leave it out or use all-linear.")
    try:
        return (wrap or get_peft_model)(model, _lora_config(adapter, model.config.get_text_config().num_hidden_layers))
    except ValueError as error:
        from torch.nn import Linear

        reason = " ".join(str(error).split())[:200]
        linear = sorted({name.rsplit(".", 1)[-1] for name, m in model.named_modules() if isinstance(m, Linear)})
        raise ConfigError(
            f"adapter.target_modules={names} does not fit the model ({reason}); use all-linear or some of {linear}."
        ) from error


def _lora_config(adapter: LoraAdapter, blocks: int) -> Any:
    from peft import LoraConfig, TaskType

    names = adapter.target_modules
    return LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=adapter.r,
        lora_alpha=adapter.lora_alpha,
        lora_dropout=adapter.lora_dropout,
        target_modules=names if isinstance(names, str) else list(names),
        use_rslora=adapter.use_rslora,
        layers_to_transform=None if adapter.num_layers is None else list(range(max(0, blocks - adapter.num_layers), blocks)),
    )
