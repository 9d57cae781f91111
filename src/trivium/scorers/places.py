"""Where a scorer's files are, and whether they can be read without running code that came with them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trivium.errors import ConfigError, ModelError

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle")


def setting(name: str) -> str:
    """The configuration key of a scorer's path."""
    return f"reward.scorers.{name}.path"


def local(path: str, name: str, needed: str = "config.json") -> Path | None:
    """The folder that `path` names, or None for a hub id; `ModelError` where it can only be a folder and is none."""
    folder = Path(path).expanduser()
    if folder.is_dir():
        if not (folder / needed).is_file():
            raise ModelError(
                f"{setting(name)}: {path} has no {needed}, so it is not such a model; name the folder that has it."
            )
        return folder
    if folder.exists() or folder.is_absolute() or path.startswith((".", "~")) or path.count("/") > 1:
        raise ModelError(
            f"{setting(name)}: {path} is not a folder; name a model's folder or a hub id, or set null for the embedded one."
        )
    return None


def require_safetensors(folder: Path, name: str) -> None:
    """Raise `ModelError` unless every weight below a local folder is in safetensors files."""
    if any(folder.rglob("*.safetensors")):
        return
    pickles = sorted(str(file.relative_to(folder)) for pattern in _PICKLES for file in folder.rglob(pattern))
    if pickles:
        raise ModelError(
            f"{setting(name)}: {folder} has its weights as {pickles[0]} (a pickle, which can run code when it is opened); "
            "convert them to model.safetensors, which is all that is read here."
        )
    raise ModelError(f"{setting(name)}: {folder} has no weights (*.safetensors); download them into it.")


def require_device(device: str, name: str) -> None:
    """Raise `ConfigError` unless PyTorch sees the device."""
    import torch

    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present[device]:
        here = ", ".join(kind for kind, there in present.items() if there)
        raise ConfigError(
            f"reward.scorers.{name}.device is {device}, but PyTorch {torch.__version__} sees only {here} on this machine; set "
            "it to one of these."
        )


@contextmanager
def explained(path: str, name: str, install: str) -> Iterator[None]:
    """Turn the libraries' many ways to fail while loading into one sentence with a way out."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, ImportError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        if isinstance(error, ModelError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{setting(name)}: could not load {path} ({reason}); {install}, or set it to another model's folder, or to null "
            "for the embedded one."
        ) from error


def read_json(path: Path) -> Any:
    """The contents of a model's JSON file; `ModelError` where it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON ({error}); download the model anew.") from error
