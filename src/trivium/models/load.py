"""Models and tokenizers from a local Hugging Face directory or a hub id: safetensors only, no code from the repository."""

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from trivium.errors import ModelError
from trivium.models import checks, quantised
from trivium.models.checks import explained
from trivium.models.quiet import quiet
from trivium.schema import FullAdapter, HardwareConfig, LoraAdapter, ModelConfig, QloraAdapter

ADAPTER_DIR, MODEL_DIR = "adapter", "model"
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tokenizer_config.json")


def weights_dir(adapter: LoraAdapter | FullAdapter) -> str:
    """Name of the folder, below a run, that its weights lie in."""
    return MODEL_DIR if isinstance(adapter, FullAdapter) else ADAPTER_DIR


def load_tokenizer(model: ModelConfig, path: str) -> Any:
    """The tokenizer of `path` with a chat template and a padding token.

    Raises `ModelError` when there is no tokenizer, no chat template or no token to pad with.
    """
    from transformers import AutoTokenizer

    _require_tokenizer(path)
    with quiet(), loading(path, "the tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(path, revision=model.revision, trust_remote_code=False)
    _set_chat_template(tokenizer, model, path)
    if not tokenizer.is_fast:
        raise ModelError(f"{path} has only a slow tokenizer; save it once with a tokenizer.json (a fast tokenizer).")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.pad_token is None:
        raise ModelError(f"{path}: the tokenizer has neither a pad_token nor an eos_token; set one in tokenizer_config.json.")
    return tokenizer


def load_base(model: ModelConfig, hardware: HardwareConfig, path: str, adapter: Any = None) -> Any:
    """The untuned causal language model, in `hardware.dtype` on `hardware.device`, in evaluation mode.

    With a `QloraAdapter`, which is then to be trained on it, its linear layers are quantised. Raises `ConfigError` when the
    device is not there and `ModelError` when the weights are missing or not safetensors.
    """
    import torch
    from transformers import AutoModelForCausalLM

    require_device(hardware)
    checks.limit_memory(hardware)
    _require_weights(path)
    quantise = isinstance(adapter, QloraAdapter)
    with quiet(), loading(path, "the weights"):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            path,
            revision=model.revision,
            dtype=getattr(torch, hardware.dtype),
            attn_implementation=hardware.attn_implementation,
            use_safetensors=True,
            trust_remote_code=False,
            **(quantised.arguments(adapter, hardware) if quantise else {}),
        )
    return quantised.settled(loaded).eval() if quantise else loaded.to(hardware.device).eval()


def load_tuned(model: ModelConfig, hardware: HardwareConfig, path: str, run_dir: Path, adapter: Any = None) -> Any:
    """The model that a run trained: `run_dir/model` (every weight), or the base, quantised with a `QloraAdapter`, with
    `run_dir/adapter` applied.
    """
    return _load_run(model, hardware, path, run_dir, trainable=False, adapter=adapter).eval()


def load_trainable(model: ModelConfig, hardware: HardwareConfig, path: str, run_dir: Path, adapter: Any = None) -> Any:
    """The same, to be trained further: all of `run_dir/model`, or the adapter alone, on a base as `adapter` wants it."""
    loaded = _load_run(model, hardware, path, run_dir, trainable=True, adapter=adapter)
    return loaded if hasattr(loaded, "peft_config") else loaded.requires_grad_(True)


def _load_run(
    model: ModelConfig, hardware: HardwareConfig, path: str, run_dir: Path, trainable: bool, adapter: Any = None
) -> Any:
    whole, place = run_dir / MODEL_DIR, run_dir / ADAPTER_DIR
    if whole.is_dir():
        return load_base(model, hardware, str(whole))
    if not (place / "adapter_config.json").is_file():
        raise ModelError(f"{run_dir} holds neither {MODEL_DIR}/ nor {ADAPTER_DIR}/ of a finished training; train first.")
    if not list(place.glob("*.safetensors")):
        raise ModelError(f"{place} has no .safetensors weights; train again.")
    from peft import PeftModel

    base = load_base(model, hardware, path, adapter)
    with quiet(), loading(str(place), "the adapter"):
        return PeftModel.from_pretrained(base, str(place), is_trainable=trainable)


def require_device(hardware: HardwareConfig) -> None:
    """Raise `ConfigError` unless PyTorch sees the device that the configuration asks for."""
    checks.require_device(hardware.device, "hardware.device", "set hardware=cpu, or install a build of PyTorch for the device")


def _set_chat_template(tokenizer: Any, model: ModelConfig, path: str) -> None:
    if model.chat_template is not None:
        file = Path(model.chat_template).expanduser()
        if not file.is_file():
            raise ModelError(f"model.chat_template: {file} is not a file; name a Jinja file or set it to null.")
        tokenizer.chat_template = file.read_text(encoding="utf-8")
    if tokenizer.chat_template is None:
        raise _without_template(path)
    _require_template(tokenizer, model.chat_template or path)


def require_chat_template(path: str) -> None:
    """Raise `ModelError` unless the tokenizer of a local model directory has a chat template of its own."""
    folder = local_folder(path)
    if folder is not None and not _has_template(folder):
        raise _without_template(path)


def _has_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file() or any(folder.glob("additional_chat_templates/*.jinja")):
        return True
    try:
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except ValueError:  # damaged, which loading it tells
        return True
    return bool(settings.get("chat_template"))


def _without_template(path: str) -> ModelError:
    return ModelError(f"{path}: the tokenizer has no chat template; name a Jinja file with model.chat_template=….")


def _require_template(tokenizer: Any, place: str) -> None:
    """Raise `ModelError` for a chat template that is no Jinja."""
    from jinja2 import TemplateError, TemplateSyntaxError

    try:
        tokenizer.apply_chat_template([{"role": "user", "content": "?"}], tokenize=False)
    except TemplateSyntaxError as error:
        raise ModelError(f"the chat template of {place} is no Jinja: {error.message}, line {error.lineno}; mend it.") from error
    except TemplateError:
        pass  # it refuses this conversation, which others may not be like


def local_folder(path: str) -> Path | None:
    """The directory that `path` names, or None for a hub id; raises when it can only be a directory and is not there."""
    folder = Path(path).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ModelError(f"{path} has no config.json, so it is not a Hugging Face model directory; set model.path to one.")
        return folder
    if not checks.can_be_hub_id(path):
        raise ModelError(
            f"model.path: {path} is not a directory; name a Hugging Face model directory or a hub id (owner/name)."
        )
    return None


def require_files(path: str) -> None:
    """Raise `ModelError` unless a local model directory has what loading it takes: config, tokenizer, safetensors."""
    _require_tokenizer(path)
    _require_weights(path)


def _require_tokenizer(path: str) -> None:
    folder = local_folder(path)
    if folder is not None and not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise ModelError(
            f"{path} has no tokenizer (tokenizer.json or tokenizer_config.json); copy the model's tokenizer files into it."
        )


def _require_weights(path: str) -> None:
    folder = local_folder(path)
    if folder is not None:
        checks.require_safetensors(folder, path)


def loading(path: str, what: str) -> AbstractContextManager[None]:
    """Turn whatever goes wrong while `what` of a model is loaded into a `ModelError` that says what to do."""

    def sentence(reason: str) -> str:
        if local_folder(path) is None:
            return (
                f"could not get {what} of {path} from the hub ({reason}); check the id, the network or "
                "`huggingface-cli login`, or set HF_HUB_OFFLINE=1 with a downloaded copy, or model.path to a local directory."
            )
        return f"could not load {what} of {path} ({reason}); the files may be damaged or of another kind."

    return explained(sentence)
