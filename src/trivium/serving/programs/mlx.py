"""MLX-LM's server, on the plain MLX directory."""

import sys
from pathlib import Path

from trivium.schema import Config, ExportConfig
from trivium.schema.export import MlxExport
from trivium.serving.programs import Start, require_packages

KIND = "mlx"


def require(config: Config) -> None:
    """MLX-LM."""
    require_packages("mlx", ("mlx_lm",), "pip install mlx-lm, on Linux together with 'mlx[cpu]'")


def wanted(config: Config) -> ExportConfig:
    """The plain directory alone."""
    return ExportConfig(mlx=MlxExport(True))


def part(folder: Path, config: Config) -> Path | None:
    """Its plain directory."""
    plain = folder / "plain"
    return plain if (plain / "config.json").is_file() else None


def start(config: Config, weights: Path, host: str, port: int) -> Start:
    """Its model is named by its path."""
    path = str(weights.resolve())
    return Start(
        [sys.executable, "-m", "mlx_lm", "server", "--model", path, "--host", host, "--port", str(port)], path, "/health"
    )
