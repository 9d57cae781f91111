"""Where a training starts: Unsloth's model with PEFT's adapter. Unsloth's trainers, exports and downloads stay out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from unsloth import FastLanguageModel  # type: ignore[import-not-found]

from trivium.backends.unsloth.inside.own import own_trainer
from trivium.errors import ConfigError
from trivium.models import checks
from trivium.models.adapters import attach
from trivium.models.load import ADAPTER_DIR, loading, require_device, require_files
from trivium.models.quiet import quiet
from trivium.schema import Config, GrpoMethod, QloraAdapter


def load(config: Config, base: str, weights: Path | None = None) -> Any:
    """Unsloth's model with a new adapter, the one that PyTorch's training would begin with, or with the one in `weights`."""
    require_device(config.hardware)
    checks.limit_memory(config.hardware)
    require_files(base)
    with own_trainer():
        tuned = attach(_model(config, base), config.adapter, config.seed, _wrapped(config))
    for settings in tuned.peft_config.values():
        settings.base_model_name_or_path = base
    if weights is not None:
        _read(tuned, weights / ADAPTER_DIR)
    return tuned


def _model(config: Config, base: str) -> Any:
    """The base model as Unsloth loads it: this very one (it would take its own copies of known ones), from safetensors."""
    import torch

    model, hardware = config.model, config.hardware
    with quiet(), loading(base, "the weights"):
        loaded, _ = FastLanguageModel.from_pretrained(
            base,
            max_seq_length=_longest(config),
            dtype=getattr(torch, hardware.dtype),
            load_in_4bit=isinstance(config.adapter, QloraAdapter),
            attn_implementation=hardware.attn_implementation,
            use_gradient_checkpointing=_checkpointing(config),
            revision=model.revision,
            use_exact_model_name=True,
            use_safetensors=True,
            trust_remote_code=False,
            fix_tokenizer=False,
        )
    _require_as_asked(loaded, config)
    return loaded


def _require_as_asked(loaded: Any, config: Config) -> None:
    """Raise `ConfigError` where it has chosen another precision than was set, which it does where that cannot be had."""
    wanted, found = config.hardware.dtype, str(loaded.dtype).removeprefix("torch.")
    if found != wanted:
        raise ConfigError(f"Unsloth loads this model as {found} here, not as {wanted}; set hardware.dtype={found}.")
    if isinstance(config.adapter, QloraAdapter) and not getattr(loaded, "is_loaded_in_4bit", False):
        raise ConfigError("Unsloth cannot quantise this model here; set adapter=lora, or backend=torch.")


def _longest(config: Config) -> int:
    """Tokens that a sequence may have: it cuts longer ones."""
    answer = config.method.max_completion_length if isinstance(config.method, GrpoMethod) else 0
    return config.model.max_length + answer


def _checkpointing(config: Config) -> "bool | str":
    return "unsloth" if config.hardware.gradient_checkpointing else False


def _wrapped(config: Config) -> Callable[[Any, Any], Any]:
    """Unsloth's way to put an adapter around a model, from the same configuration as PEFT's."""

    def wrap(model: Any, lora: Any) -> Any:
        names = ("r", "lora_alpha", "lora_dropout", "target_modules", "use_rslora", "layers_to_transform", "layers_pattern")
        settings = {name: getattr(lora, name) for name in names}
        if isinstance(settings["target_modules"], set):
            settings["target_modules"] = sorted(settings["target_modules"])
        return FastLanguageModel.get_peft_model(
            model, **settings, use_gradient_checkpointing=_checkpointing(config), random_state=config.seed
        )

    return wrap


def _read(tuned: Any, folder: Path) -> None:
    from peft import load_peft_weights, set_peft_model_state_dict

    with loading(str(folder), "the adapter"):
        set_peft_model_state_dict(tuned, load_peft_weights(str(folder), device="cpu"))
