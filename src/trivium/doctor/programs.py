"""What some configurations use besides: scorers, llama.cpp, MLX, Unsloth, Ollama."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from trivium.doctor.finding import ABSENT, FAIL, OK, WARN, Finding
from trivium.doctor.packages import version
from trivium.errors import ConfigError, ModelError
from trivium.schema import Config, ScorerConfig

_PARSER = "en_core_web_sm"
_PATIENCE = 20
"""Seconds that a program may take to tell its version."""


def scorers(config: Config) -> Iterator[Finding]:
    """The models that rewards and evaluations ask; each that has a path, and the parser that real ones would use."""
    for group in ("scorers", "gold_scorers"):
        for name in ("nli", "embeddings", "syntax"):
            scorer: ScorerConfig = getattr(getattr(config.reward, group), name)
            if scorer.path is not None:
                yield _scorer(f"{group}.{name}", name, scorer.path)
    yield Finding("scorers", OK, "those without a path are the embedded ones, built when they are first asked")
    there = version(_PARSER)
    remedy = "" if there else f"for real texts: python -m spacy download {_PARSER}, then reward.scorers.syntax.path={_PARSER}"
    yield Finding("spaCy model", OK if there else ABSENT, f"{_PARSER} {there or 'is not installed'}", remedy)


def _scorer(key: str, name: str, path: str) -> Finding:
    from trivium.scorers import places

    try:
        folder = places.local(path, name, "meta.json" if name == "syntax" else "config.json")
        if folder is not None and name != "syntax":
            places.require_safetensors(folder, name)
    except ModelError as error:
        found, _, remedy = str(error).partition("; ")
        return Finding(key, FAIL, found, remedy)
    if folder is not None:
        return Finding(key, OK, str(folder))
    return _packaged(key, path) if name == "syntax" else _of_hub(key, path)


def _packaged(key: str, name: str) -> Finding:
    there = version(name)
    remedy = "" if there else f"python -m spacy download {name}"
    return Finding(key, OK if there else FAIL, f"{name} {there or 'is not installed'}", remedy)


def _of_hub(key: str, name: str) -> Finding:
    from huggingface_hub import try_to_load_from_cache

    if isinstance(try_to_load_from_cache(name, "config.json"), str):
        return Finding(key, OK, f"{name}, in the hub's cache")
    return Finding(key, WARN, f"{name} is not in the hub's cache", "it is fetched by the first run, which needs a network.")


_LLAMA_KINDS = ("gguf", "gguf_lora", "ollama", "lmstudio")


def _exported(config: Config) -> set[str]:
    kinds = asdict(config.export)
    return {name for name, kind in kinds.items() if isinstance(kind, dict) and kind.get("enabled")}


def llama_cpp(config: Config) -> Iterator[Finding]:
    """Its Python bindings, and the converter that makes its files."""
    missing = FAIL if _exported(config) & set(_LLAMA_KINDS) else ABSENT
    there = version("llama-cpp-python")
    remedy = "" if there else "make gguf, or pip install 'trivium[gguf]'"
    yield Finding("llama.cpp", OK if there else missing, f"bindings {there or 'are not installed'}", remedy)
    yield _converter(config)


def _converter(config: Config) -> Finding:
    from trivium.export.llama import source
    from trivium.export.llama_driver import CONVERTER

    if os.environ.get(source.VARIABLE):
        return Finding("llama.cpp converter", OK, str(source.find(Path(config.cache_dir))))
    folder = Path(config.cache_dir).expanduser() / f"llama.cpp-{source.VERSION}"
    if (folder / CONVERTER).is_file():
        return Finding("llama.cpp converter", OK, str(folder))
    return Finding(
        "llama.cpp converter", ABSENT, "not fetched yet", "the first export to GGUF fetches it, which needs a network."
    )


def mlx(config: Config) -> Iterator[Finding]:
    """Apple's library, where it is there."""
    from trivium.models import mlx as ours

    if ours.installed():
        yield Finding("MLX", OK, f"mlx {version('mlx')}, mlx-lm {version('mlx-lm')}")
        return
    asked = config.backend.name == "mlx" or "mlx" in _exported(config)
    yield Finding("MLX", FAIL if asked else ABSENT, "not installed", f"{ours.WAY_OUT}.")


def unsloth(config: Config) -> Iterator[Finding]:
    """The environment of its own that it has."""
    from trivium.backends.unsloth import environment

    try:
        path = environment.interpreter(config)
    except ConfigError as error:
        asked = config.backend.name == "unsloth"
        found, _, remedy = str(error).partition("; ")
        yield Finding("Unsloth", FAIL if asked else ABSENT, found, remedy)
        return
    yield Finding("Unsloth", OK, f"{environment.version(path)} of {path}")


def ollama(_config: Config) -> Iterator[Finding]:
    """The program that exports for it are given to."""
    path = shutil.which("ollama")
    if path is None:
        yield Finding("Ollama", ABSENT, "not installed", "it is only needed to use what export=ollama makes.")
        return
    done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=_PATIENCE)
    words = " ".join((done.stdout or done.stderr).split())
    yield Finding("Ollama", OK if done.returncode == 0 else WARN, words or path)
