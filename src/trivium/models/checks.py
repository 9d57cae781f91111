"""Whether a model can be read here: its place, its files without running code that came with them, its device."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from trivium.errors import ConfigError, ModelError
from trivium.schema import HardwareConfig

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle")
_REASON = 200
"""Characters of a library's complaint that are passed on."""


def can_be_hub_id(path: str) -> bool:
    """Whether a name that is no folder can be a model on the hub (`owner/name`)."""
    place = Path(path).expanduser()
    return not (place.exists() or place.is_absolute() or path.startswith((".", "~")) or path.count("/") > 1)


def require_safetensors(folder: Path, shown: str, below: bool = False) -> None:
    """Raise `ModelError` unless weights in a local folder, or anywhere `below` it, are in safetensors files.

    `shown` is what the message calls the folder.
    """
    found = folder.rglob if below else folder.glob
    if any(found("*.safetensors")):
        return
    pickles = sorted(str(file.relative_to(folder)) for pattern in _PICKLES for file in found(pattern))
    if pickles:
        raise ModelError(
            f"{shown} has its weights as {pickles[0]} (a pickle, which can run code when it is opened); "
            "convert them to model.safetensors, which is all that is read here."
        )
    raise ModelError(f"{shown} has no weights (*.safetensors); download the model's weights into it.")


def require_device(device: str, key: str, way_out: str) -> None:
    """Raise `ConfigError` unless PyTorch sees the device that stands under a key of the configuration."""
    import torch

    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present[device]:
        here = ", ".join(kind for kind, there in present.items() if there)
        raise ConfigError(f"{key} is {device}, but PyTorch {torch.__version__} sees only {here} on this machine; {way_out}.")


def limit_memory(hardware: HardwareConfig) -> None:
    """Let PyTorch take no more than `hardware.memory_limit_gb` of the device, and say so by running out of memory."""
    import torch

    limit = (hardware.memory_limit_gb or 0) * 1e9
    if limit and hardware.device == "cuda":
        torch.cuda.set_per_process_memory_fraction(min(1.0, limit / torch.cuda.get_device_properties().total_memory))
    elif limit and hardware.device == "mps":
        most = torch.mps.recommended_max_memory()
        torch.mps.set_per_process_memory_fraction(min(2.0, limit / most))  # Metal recommends less than there is


@contextmanager
def explained(sentence: Callable[[str], str]) -> Iterator[None]:
    """Turn the libraries' many ways to fail while loading into a `ModelError`, whose sentence is made of the reason."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, ImportError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(sentence(" ".join(str(error).split())[:_REASON])) from error
