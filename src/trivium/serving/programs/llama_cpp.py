"""llama.cpp's server, on a GGUF file: `llama-server` where it is found, else the one that comes with llama-cpp-python."""

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from trivium.schema import Config, ExportConfig
from trivium.serving.programs import Start, require_packages

KIND = "gguf"
_PACKAGES = ("llama_cpp", "fastapi", "uvicorn", "sse_starlette", "starlette_context", "pydantic_settings")
_SHORTEST = 2048


def require(config: Config) -> None:
    """One of the two."""
    if _binary() is None:
        way = "pip install 'llama-cpp-python[server]', or put llama-server on the PATH or into LLAMA_CPP_DIR"
        require_packages("llama_cpp", _PACKAGES, way)


def wanted(config: Config) -> ExportConfig:
    """One file, of `serve.type`."""
    return ExportConfig(gguf=replace(config.export.gguf, enabled=True, types=[config.serve.type]))


def part(folder: Path, config: Config) -> Path | None:
    """The file of `serve.type`."""
    return next(iter(sorted(folder.glob(f"*-{config.serve.type}.gguf"))), None)


def start(config: Config, weights: Path, host: str, port: int) -> Start:
    """Its model is called as the run is."""
    path, name = str(weights.resolve()), config.name
    n_ctx = str(config.serve.n_ctx or max(config.model.max_length, _SHORTEST))
    where = ["--host", host, "--port", str(port)]
    if (binary := _binary()) is not None:
        return Start([binary, "--model", path, "--alias", name, "--ctx-size", n_ctx, "--jinja", *where], name, "/health")
    layers = "0" if config.hardware.device == "cpu" else "-1"
    command = [sys.executable, "-m", "llama_cpp.server", "--model", path, "--model_alias", name, "--n_ctx", n_ctx]
    # Unasked, this server penalises what was said before, greedy answers too; without a memory of tokens it does not.
    command += ["--last_n_tokens_size", "0"]
    return Start([*command, "--n_gpu_layers", layers, *where], name, "/v1/models")


def _binary() -> str | None:
    """`llama-server` of LLAMA_CPP_DIR, then of the PATH."""
    home = os.environ.get("LLAMA_CPP_DIR")
    places = [Path(home), Path(home) / "build" / "bin"] if home else []
    found = (shutil.which("llama-server", path=str(place)) for place in places)
    return next(filter(None, found), None) or shutil.which("llama-server")
