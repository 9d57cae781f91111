"""What a model is made of: its architecture, built without memory from its configuration file or from a shape that is told."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from trivium.errors import ModelError
from trivium.models.quiet import quiet
from trivium.schema import ModelConfig, ModelShape, TinyBuild


@dataclass(frozen=True)
class Linear:
    """A linear layer: its name in the model, the block that it is part of (None outside), its width before and after."""

    name: str
    block: int | None
    inputs: int
    outputs: int


@dataclass(frozen=True)
class Anatomy:
    """Sizes of one causal language model, by the names of Transformers; `linears` are without the output head."""

    model_type: str
    source: str
    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab_size: int
    tied: bool
    parameters: int
    largest: int
    linears: tuple[Linear, ...]
    gated: bool
    normed_heads: bool

    @property
    def queries(self) -> int:
        """Width of all attention heads together."""
        return self.heads * self.head_dim

    @property
    def keys(self) -> int:
        """Width of the keys' heads together; the values' have the same."""
        return self.kv_heads * self.head_dim


def anatomy(model: ModelConfig) -> Anatomy:
    """What the configured model is made of.

    Its `config.json` is looked for in the local folder, then among what was downloaded from the hub; `model.shape` is for
    models without either, and for `init=random`. Nothing is fetched. Raises `ModelError` where none tells, or the architecture
    is unknown.
    """
    if model.path is None and model.init != "random":
        return _built(json.dumps(_tiny(model.build)), "model.build")
    settings = None if model.init == "random" else _settings_file(model)
    if settings is not None:
        told = _read(settings)
        if _known(told.get("model_type")) or model.shape.model_type is None:
            return _built(json.dumps(told), str(settings))
    if model.shape.model_type is None:
        raise ModelError(
            f"model.path: the config.json of {model.path} is neither in a local folder nor downloaded; download the model, or "
            "tell its size with model.shape (model_type, hidden_size, num_hidden_layers …), as model=qwen2_5_1_5b does."
        )
    return _built(_shape(model.shape), "model.shape")


def _settings_file(model: ModelConfig) -> Path | None:
    """The model's `config.json` on this machine."""
    from huggingface_hub import try_to_load_from_cache

    assert model.path is not None
    folder = Path(model.path).expanduser()
    if folder.is_dir():
        return folder / "config.json" if (folder / "config.json").is_file() else None
    if model.path.count("/") > 1 or model.path.startswith((".", "~", "/")):
        return None
    found = try_to_load_from_cache(model.path, "config.json", revision=model.revision)
    return Path(found) if isinstance(found, str) else None


def _read(settings: Path) -> Mapping[str, Any]:
    try:
        told: Mapping[str, Any] = json.loads(settings.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{settings} is no JSON ({error}); get the model's files again.") from error
    if not isinstance(told, Mapping):
        raise ModelError(f"{settings} holds no settings; get the model's files again.")
    return told


def _tiny(build: TinyBuild) -> dict[str, Any]:
    """The embedded model as `models.tiny` makes it."""
    named = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    return {"model_type": "llama", "tie_word_embeddings": True, **{name: getattr(build, name) for name in named}}


def _shape(shape: ModelShape) -> str:
    """What was told, as a configuration (JSON)."""
    from trivium.models.random import configuration

    missing = [f.name for f in fields(shape) if f.name in _NEEDED and not getattr(shape, f.name)]
    if missing:
        raise ModelError(f"model.shape: {', '.join(missing)} not told; set it as the model's config.json has it.")
    return str(configuration(shape).to_json_string(use_diff=False))


_NEEDED = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size")


def _known(model_type: Any) -> bool:
    from transformers import CONFIG_MAPPING

    return model_type in CONFIG_MAPPING


@lru_cache(maxsize=64)
def _built(settings: str, source: str) -> Anatomy:
    """The anatomy of a configuration (JSON), measured on the architecture built on PyTorch's meta device."""
    import torch
    from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForCausalLM

    auto: Any = AutoModelForCausalLM
    told = json.loads(settings)
    model_type = told.pop("model_type", None)
    if model_type not in CONFIG_MAPPING:
        raise ModelError(
            f"{source} names the architecture {model_type!r}, which this version of Transformers does not know (of "
            f"{len(list(CONFIG_MAPPING.keys()))} there are llama, mistral, qwen2, qwen3, gemma3, phi3 …); update transformers, "
            "or tell the size with model.shape, with the model_type of the architecture nearest to it."
        )
    try:
        with quiet(), torch.device("meta"):
            config = AutoConfig.for_model(model_type, **told)
            model = auto.from_config(config, trust_remote_code=False)
    except (ValueError, TypeError, AttributeError, KeyError, RuntimeError, ZeroDivisionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{source}: no causal language model can be made of it ({reason}); give a model that writes text."
        ) from error
    return _measured(model, model_type, source)


def _measured(model: Any, model_type: str, source: str) -> Anatomy:
    config = model.config.get_text_config()
    head = model.get_output_embeddings()
    heads = config.num_attention_heads
    names = [name for name, _ in model.named_modules()]
    told = config.to_dict()
    return Anatomy(
        model_type=model_type,
        source=source,
        hidden_size=config.hidden_size,
        intermediate_size=_width_of_mlp(told),
        layers=config.num_hidden_layers,
        heads=heads,
        kv_heads=told.get("num_key_value_heads") or heads,
        head_dim=told.get("head_dim") or config.hidden_size // heads,
        vocab_size=config.vocab_size,
        tied=head.weight is model.get_input_embeddings().weight,
        parameters=sum(p.numel() for p in model.parameters()),
        largest=max(p.numel() for p in model.parameters()),
        linears=tuple(_linears(model, head)),
        gated=any(name.endswith(("gate_proj", "gate_up_proj")) for name in names),
        normed_heads=any(name.endswith("q_norm") for name in names),
    )


def _width_of_mlp(told: Mapping[str, Any]) -> int:
    """What one token passes through: of a mixture of experts, those that it is sent to."""
    experts = told.get("num_experts_per_tok")
    if experts and told.get("moe_intermediate_size"):
        return int(experts * told["moe_intermediate_size"])
    width = told.get("intermediate_size") or 4 * told["hidden_size"]
    return int(max(width) if isinstance(width, list) else width) * int(experts or 1)


def _linears(model: Any, head: Any) -> list[Linear]:
    from torch.nn import Linear as Module

    modules = [(name, module) for name, module in model.named_modules() if isinstance(module, Module) and module is not head]
    return [Linear(name, _block_of(name), module.in_features, module.out_features) for name, module in modules]


def _block_of(name: str) -> int | None:
    return next((int(part) for part in name.split(".") if part.isdigit()), None)
