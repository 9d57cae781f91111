"""Models of MLX-LM: a Hugging Face directory loaded as it stands, and PEFT's adapters laid over it and written again."""

import importlib
import importlib.util
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from trivium.errors import ConfigError, ModelError
from trivium.models import load as files
from trivium.models.low_rank import scaling
from trivium.models.merge import model_folder
from trivium.models.quiet import quiet
from trivium.schema import HardwareConfig, ModelConfig, QloraAdapter

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
WAY_OUT = "pip install 'trivium[mlx]'"

_PREFIX = "base_model.model."
_ENDS = {".lora_A.weight": ".lora_a", ".lora_B.weight": ".lora_b"}


class Loaded(NamedTuple):
    """A model (`mlx.nn.Module`, in evaluation mode), its tokenizer (of Transformers), and the tokens (ids) that end a turn."""

    model: Any
    tokenizer: Any
    stops: frozenset[int]


def installed() -> bool:
    """Whether MLX and MLX-LM are there; nothing is imported."""
    return all(importlib.util.find_spec(name) is not None for name in ("mlx", "mlx_lm"))


def library(name: str = "utils") -> Any:
    """A module of MLX-LM. Importing it would lower the limit on open files of this process for good, so that is held off.

    Raises `ConfigError` where MLX or MLX-LM is missing or cannot be loaded.
    """
    import resource

    before = resource.setrlimit
    resource.setrlimit = lambda *_: None
    try:
        importlib.import_module("mlx.core")
        return importlib.import_module(f"mlx_lm.{name}")
    except ImportError as error:
        raise ConfigError(f"MLX cannot be loaded here ({' '.join(str(error).split())[:200]}); {WAY_OUT}.") from error
    finally:
        resource.setrlimit = before


def use_device(hardware: HardwareConfig) -> None:
    """Let this process compute on `hardware.device`, and take at most `hardware.memory_limit_gb` there, kept resident.

    Raises `ConfigError` when MLX does not see the device.
    """
    library()
    import mlx.core as mx

    wanted = mx.cpu if hardware.device == "cpu" else mx.gpu
    if not mx.is_available(wanted):
        raise ConfigError(f"hardware.device is {hardware.device}, but MLX sees only the cpu on this machine; set hardware=cpu.")
    mx.set_default_device(wanted)
    limit = None if hardware.memory_limit_gb is None else int(hardware.memory_limit_gb * 1e9)
    if limit is not None:
        mx.set_memory_limit(limit)
    if mx.metal.is_available():
        most = int(mx.device_info()["max_recommended_working_set_size"])
        mx.set_wired_limit(most if limit is None else min(limit, most))


def load(model: ModelConfig, path: str, dtype: str | None = None, adapter: QloraAdapter | None = None) -> Loaded:
    """The causal language model in a directory or of a hub id, and its tokenizer with a chat template and a padding token.

    `dtype` is `float32`, `bfloat16` or `float16`; None leaves the weights as they are. They are quantised as `adapter` says,
    where it is given. Quantised MLX directories load too.
    Raises `ModelError` when a part is missing or the architecture is not known to MLX-LM, `ConfigError` without MLX.
    """
    utils = library()
    import mlx.core as mx

    tokenizer = files.load_tokenizer(model, path)
    with quiet(), files.loading(path, "the weights"):
        folder = model_folder(model, path)
        found, config = utils.load_model(folder, lazy=True, model_config=rope_keys(utils.load_config(folder)))
        if dtype is not None:
            found.set_dtype(getattr(mx, dtype))
        if adapter is not None:
            quantise(found, adapter)
        mx.eval(found.parameters())
    ends = config.get("eos_token_id")
    stops = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}
    return Loaded(found.eval(), tokenizer, frozenset(stops))


def load_tuned(
    model: ModelConfig, path: str, run_dir: Path, dtype: str | None = None, adapter: QloraAdapter | None = None
) -> Loaded:
    """The model that a run trained: `run_dir/model` (every weight), or `run_dir/adapter` laid over the base at `path`."""
    whole = run_dir / files.MODEL_DIR
    if whole.is_dir():
        return load(model, str(whole), dtype)
    found = load(model, path, dtype, adapter)
    apply_adapter(found.model, run_dir / files.ADAPTER_DIR)
    return found


def quantise(model: Any, adapter: QloraAdapter) -> None:
    """Quantise the linear layers and embeddings whose width allows it; raises `ConfigError` where none does."""
    import mlx.core as mx
    import mlx.nn as nn

    def fits(_: str, module: Any) -> bool:
        return hasattr(module, "to_quantized") and module.weight.shape[-1] % adapter.group_size == 0

    if not any(fits(name, module) for name, module in model.named_modules()):
        raise ConfigError(
            f"adapter.group_size={adapter.group_size} divides the width of no layer of the model; set a smaller one, or "
            "choose adapter=lora."
        )
    nn.quantize(model, adapter.group_size, adapter.bits, class_predicate=fits)
    mx.eval(model.parameters())


def whole_writer(loaded: Loaded, model: ModelConfig, path: str) -> Callable[[Path], None]:
    """What writes all weights of a model loaded from `path` into a folder, as an ordinary Hugging Face directory.

    Raises `ConfigError` for an architecture whose weights MLX-LM gives other names or shapes than their files have.
    """
    from mlx.utils import tree_flatten

    folder = model_folder(model, path)
    shapes = {name: tuple(tensor.shape) for name, tensor in tree_flatten(loaded.model.parameters())}
    if not shapes.items() <= _shapes(folder).items():
        raise ConfigError(
            f"adapter=full: MLX-LM arranges the weights of {path} in another way than their files, to which they could not be "
            "written back; choose adapter=lora, or backend=torch."
        )

    def write(out: Path) -> None:
        import mlx.core as mx

        weights = dict(tree_flatten(loaded.model.parameters()))
        mx.save_safetensors(str(out / "model.safetensors"), weights, {"format": "pt"})
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        settings["dtype"] = str(next(iter(weights.values())).dtype).removeprefix("mlx.core.")
        (out / "config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
        if (folder / "generation_config.json").is_file():
            shutil.copy(folder / "generation_config.json", out)
        loaded.tokenizer.save_pretrained(out)

    return write


def _shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Of all tensors in a folder's files."""
    from safetensors import safe_open

    found: dict[str, tuple[int, ...]] = {}
    for file in folder.glob("model*.safetensors"):
        with safe_open(file, "numpy") as tensors:
            found |= {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    return found


def rope_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """The top-level keys by which programs older than Transformers 5, MLX-LM among them, know what stands in
    `rope_parameters`; without them they take a default base frequency and say nothing.

    >>> rope_keys({"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}})
    {'rope_theta': 500000.0, 'rope_scaling': None}
    """
    rope = config.get("rope_parameters") or {}
    kinds = {name: value for name, value in rope.items() if isinstance(value, Mapping)}
    if kinds:  # one for each kind of attention
        keys = rope_keys({"rope_parameters": kinds.get("full_attention", {})})
        local = kinds.get("sliding_attention", {}).get("rope_theta")
        return keys if local is None else {**keys, "rope_local_base_freq": local}
    apart = {name: rope[name] for name in ("rope_theta", "partial_rotary_factor") if name in rope}
    scaling = {name: value for name, value in rope.items() if name not in apart}
    plain = scaling.get("rope_type", "default") == "default"
    return {**apart, "rope_scaling": None if plain else scaling} if rope else {}


# --- adapters --------------------------------------------------------------------------------------------------------


def to_mlx(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """PEFT's LoRA tensors, A (r, in) and B (out, r), as MLX-LM's `lora_a` (in, r) and `lora_b` (r, out), by module name.

    Arrays of any library will do. Raises `ModelError` for a tensor that is not the A or B of a linear layer.
    """
    return {_renamed(name): tensor.T for name, tensor in tensors.items()}


def to_peft(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """The way back, equal to the last bit."""
    ends = {mlx: peft for peft, mlx in _ENDS.items()}
    return {f"{_PREFIX}{name[:-7]}{ends[name[-7:]]}": tensor.T for name, tensor in tensors.items()}


def _renamed(name: str) -> str:
    for peft, mlx in _ENDS.items():
        if name.startswith(_PREFIX) and name.endswith(peft):
            return name.removeprefix(_PREFIX).removesuffix(peft) + mlx
    raise ModelError(f"the adapter holds {name}, which is not the LoRA of a linear layer; MLX-LM takes only those.")


def read_adapter(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """A PEFT folder's configuration, and its tensors as MLX arrays under PEFT's names.

    Raises `ModelError` when it is not whole or of a kind that MLX-LM does not know.
    """
    library()
    import mlx.core as mx

    config, weights = folder / ADAPTER_CONFIG, folder / ADAPTER_WEIGHTS
    if not config.is_file() or not weights.is_file():
        raise ModelError(f"{folder} holds no adapter ({ADAPTER_CONFIG} and {ADAPTER_WEIGHTS}); train first.")
    with files.loading(str(folder), "the adapter"):
        read = json.loads(config.read_text(encoding="utf-8"))
        tensors = mx.load(str(weights))
    beyond = [key for key in ("use_dora", "modules_to_save", "rank_pattern", "alpha_pattern") if read.get(key)]
    if read.get("peft_type") != "LORA" or read.get("bias", "none") != "none" or beyond:
        more = beyond[0] if beyond else f"peft_type={read.get('peft_type')}, bias={read.get('bias')}"
        raise ModelError(f"{folder} is an adapter with {more}, which MLX-LM does not know; train a plain LoRA.")
    return read, tensors


def apply_adapter(model: Any, peft_folder: Path) -> None:
    """Lay a PEFT adapter over a model of MLX-LM, plain or quantised.

    Raises `ModelError` when the adapter is of a kind that MLX-LM does not know, or was trained on another model.
    """
    config, tensors = read_adapter(peft_folder)
    add_lora(model, to_mlx(tensors), scaling(config, int(config["r"])))
    model.eval()


def add_lora(model: Any, tensors: Mapping[str, Any], scaling: float, dropout: float = 0.0) -> None:
    """Put LoRA layers with these `lora_a` and `lora_b` (MLX arrays) around the linear layers that they are named after."""
    lora = library("tuner.lora")
    import mlx.core as mx
    from mlx.utils import tree_unflatten

    layers = dict(model.named_modules())
    made = {}
    for name in sorted({name[:-7] for name in tensors}):
        a, b = _fitting(layers.get(name), name, tensors)
        made[name] = lora.LoRALinear.from_base(layers[name], r=a.shape[1], scale=scaling, dropout=dropout)
        made[name].lora_a, made[name].lora_b = mx.contiguous(a), mx.contiguous(b)
    model.update_modules(tree_unflatten(list(made.items())))
    mx.eval(model.parameters())


def _fitting(layer: Any, name: str, tensors: Mapping[str, Any]) -> tuple[Any, Any]:
    """A layer's `lora_a` and `lora_b`; raises `ModelError` unless they are of its size."""
    import mlx.nn as nn

    a, b = tensors.get(f"{name}.lora_a"), tensors.get(f"{name}.lora_b")
    if not isinstance(layer, nn.Linear | nn.QuantizedLinear) or a is None or b is None:
        raise ModelError(f"the adapter does not fit the model: there is no linear layer {name} in it, as MLX-LM builds it.")
    rows, columns = layer.weight.shape
    wide = columns * 32 // layer.bits if isinstance(layer, nn.QuantizedLinear) else columns
    if (a.shape[0], b.shape[1]) != (wide, rows):
        raise ModelError(
            f"the adapter does not fit the model: {name} is {rows} by {wide}, and the adapter is for {b.shape[1]} by "
            f"{a.shape[0]}; give it the base model that it was trained on."
        )
    return a, b


def lora_tensors(model: Any) -> dict[str, Any]:
    """The `lora_a` and `lora_b` of a model, by module name."""
    from mlx.utils import tree_flatten

    return {name: tensor for name, tensor in tree_flatten(model.parameters()) if name.endswith(tuple(_ENDS.values()))}


def save_adapter(model: Any, peft_folder: Path, adapter_config: Mapping[str, Any]) -> None:
    """Write a model's LoRA layers into an existing folder as PEFT does, with PEFT's configuration of them."""
    import mlx.core as mx

    tensors = {name: mx.contiguous(tensor) for name, tensor in to_peft(lora_tensors(model)).items()}
    mx.save_safetensors(str(peft_folder / ADAPTER_WEIGHTS), tensors, {"format": "pt"})
    text = json.dumps(dict(adapter_config), indent=2, sort_keys=True, default=_plain)
    (peft_folder / ADAPTER_CONFIG).write_text(text, encoding="utf-8")


def _plain(value: Any) -> Any:
    """Sets as lists; PEFT's configurations hold some."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        return sorted(value)
    raise TypeError(f"{value!r} cannot be written as JSON")
