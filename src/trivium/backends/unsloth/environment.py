"""The other environment: its interpreter, what is in it, and what a process in it is told."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from trivium.compose import conf_dir
from trivium.errors import ConfigError
from trivium.schema import Config

WAY_OUT = "make it with `make unsloth`, name the interpreter of one that has it with backend.python=…, or set backend=torch"
_ASKED = "import importlib.metadata as found; print(found.version('unsloth'))"
_PATIENCE = 60
"""Seconds that an interpreter has for an answer."""


def interpreter(config: Config) -> str:
    """Path of the interpreter of Unsloth's environment. Raises `ConfigError` when it is not there or lacks Unsloth."""
    name = Path(config.backend.python).expanduser()
    path = shutil.which(name) or shutil.which(conf_dir().parent / name)  # here, or in the checkout that made it
    if path is None:
        raise ConfigError(f"backend.python: there is no interpreter at {name.absolute()}; {WAY_OUT}.")
    # Absolute, but not resolved: behind the link lies the interpreter that the environment was made with.
    path = os.path.abspath(path)
    if version(path) is None:
        raise ConfigError(f"backend.python: {path} has no Unsloth; {WAY_OUT}.")
    return path


@cache
def version(path: str) -> str | None:
    """The version of Unsloth that an interpreter has; None where it has none, or is no interpreter. Unsloth is not imported."""
    try:
        asked = subprocess.run([path, "-I", "-c", _ASKED], capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() or None if asked.returncode == 0 else None


def variables(config: Config) -> dict[str, str]:
    """Environment variables of the training's process.

    Unsloth installs nothing, calls nobody and writes its compiled kernels into the cache. On a card it leaves TRL's classes as
    they are: so `UNSLOTH_ALLOW_CPU` works there, which on a machine without a card would have it look for one all the same.
    """
    on_cpu = config.hardware.device == "cpu"
    return {
        "UNSLOTH_AUTO_INSTALL": "0",
        "UNSLOTH_FORCE_CPU": "1" if on_cpu else "0",
        "UNSLOTH_ALLOW_CPU": "0" if on_cpu else "1",
        "UNSLOTH_DISABLE_STATISTICS": "1",
        "UNSLOTH_COMPILE_LOCATION": str(Path(config.cache_dir).absolute() / "unsloth"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
