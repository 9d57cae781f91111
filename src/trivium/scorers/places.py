"""Where a scorer's files are, and whether they can be read without running code that came with them."""

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from trivium.errors import ModelError
from trivium.models import checks


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
    if not checks.can_be_hub_id(path):
        raise ModelError(
            f"{setting(name)}: {path} is not a folder; name a model's folder or a hub id, or set null for the embedded one."
        )
    return None


def require_safetensors(folder: Path, name: str) -> None:
    """Raise `ModelError` unless every weight below a local folder is in safetensors files."""
    checks.require_safetensors(folder, f"{setting(name)}: {folder}", below=True)


def require_device(device: str, name: str) -> None:
    """Raise `ConfigError` unless PyTorch sees the device."""
    checks.require_device(device, f"reward.scorers.{name}.device", "set it to one of these")


def explained(path: str, name: str, install: str) -> AbstractContextManager[None]:
    """Turn the libraries' many ways to fail while loading into one sentence with a way out."""
    return checks.explained(
        lambda reason: (
            f"{setting(name)}: could not load {path} ({reason}); {install}, or set it to another model's folder, or "
            "to null for the embedded one."
        )
    )


def read_json(path: Path) -> Any:
    """The contents of a model's JSON file; `ModelError` where it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON ({error}); download the model anew.") from error
