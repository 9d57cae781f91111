"""The base model: somebody's, the embedded one, or a random one of a given shape."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from trivium.artifact import cached, code_hash, key_of, valid
from trivium.console import Screen
from trivium.schema import Config


def base_model(config: Config, screen: Screen) -> tuple[str, str]:
    """Path or hub id of the base model, and its key; the embedded one, and random ones, are built once into the cache."""
    model = config.model
    if model.init == "random":
        return _random_model(config, screen)
    if model.path is not None:
        return str(Path(model.path).expanduser()), key_of(model, _fingerprint(Path(model.path).expanduser()))
    folder, key = _embedded(config)

    def make(out: Path) -> Mapping[str, Any]:
        from trivium.models.tiny import build

        with screen.bar("building the tiny base model") as update:
            build(model.build, out, update)
        return {}

    cached(folder, "model", key, make)
    return str(folder), key


def base_before(config: Config) -> str | None:
    """Path of the base model, or of one with the same tokenizer, where it is on this machine already."""
    model = config.model
    if model.path is not None and model.init != "random":
        folder = Path(model.path).expanduser()
        return str(folder) if folder.is_dir() else None
    folder, key = _embedded(config)
    return str(folder) if valid(folder, key) else None


def _embedded(config: Config) -> tuple[Path, str]:
    """Folder and key of the embedded model."""
    made_of = (
        "models/tiny.py",
        "data/neutral.py",
        "data/small_world.py",
        "data/logic_world.py",
        "data/micro_qa.py",
        "data/library/world.py",
        "data/chat.py",
    )
    key = key_of(config.model.build, code_hash(*made_of))
    return Path(config.cache_dir) / "models" / f"tiny-{key}", key


def _random_model(config: Config, screen: Screen) -> tuple[str, str]:
    model, dtype = config.model, config.hardware.dtype
    tokenizer, words = base_model(replace(config, model=replace(model, init="pretrained", path=None)), screen)
    key = key_of(model.shape, dtype, model.build.seed, words, code_hash("models/random.py"))
    folder = Path(config.cache_dir) / "models" / f"random-{model.shape.model_type}-{key}"

    def make(out: Path) -> Mapping[str, Any]:
        from trivium.models.random import build

        with screen.bar(f"building a random {model.shape.model_type}"):
            build(model.shape, Path(tokenizer), dtype, model.build.seed, out)
        return {}

    cached(folder, "model", key, make)
    return str(folder), key


def _fingerprint(folder: Path) -> dict[str, tuple[int, int]]:
    """Size (bytes) and change time (ns) of a local model's files; a hub id has none."""
    files = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []
    return {str(p.relative_to(folder)): (p.stat().st_size, p.stat().st_mtime_ns) for p in files}
