"""`transformers serve`, on the merged weights."""

import sys
from pathlib import Path

from trivium.errors import ConfigError
from trivium.schema import Config, ExportConfig
from trivium.schema.export import MergedExport
from trivium.serving.programs import Start, require_packages

KIND = "merged"


def require(config: Config) -> None:
    """Its own packages."""
    require_packages("transformers", ("fastapi", "uvicorn"), "pip install 'transformers[serving]'")


def wanted(config: Config) -> ExportConfig:
    """Merged, in the type that is set for it."""
    return ExportConfig(merged=MergedExport(True, config.export.merged.dtype))


def part(folder: Path, config: Config) -> Path | None:
    """The directory itself."""
    return folder if (folder / "config.json").is_file() else None


def start(config: Config, weights: Path, host: str, port: int) -> Start:
    """Its model is named by its path. Raises `ConfigError` for a path that it would take for something else."""
    path = str(weights.resolve())
    if "@" in path:
        raise ConfigError(f"serve=transformers takes what follows @ in {path} for a revision; rename that folder.")
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", path, "--host", host, "--port", str(port)]
    command += ["--device", config.hardware.device, "--attn-implementation", config.hardware.attn_implementation]
    return Start(command, path, "/health")
