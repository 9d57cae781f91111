"""Weights: tuned, merged, or taken up from a finished run."""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.artifact import cached, code_hash, key_of, receipt, seal, valid
from trivium.backends import alerts, checkpoints
from trivium.backends.shape import numeric, world_size
from trivium.console import Screen, Update
from trivium.errors import ConfigError, ModelError
from trivium.models import identity
from trivium.models.load import weights_dir
from trivium.schema import Config, GrpoMethod
from trivium.stages.base import base_model
from trivium.stages.product import Product, model_facts, reward_facts
from trivium.tracking import Tracker

if TYPE_CHECKING:
    from trivium.evaluation.probe import Watch


def train(
    config: Config,
    base: tuple[str, str],
    prepared: Product,
    out: Path,
    record: Tracker,
    update: Update,
    warn: Callable[[str], None],
    watch: "Watch | None" = None,
) -> Product:
    """The tuned weights, under `out/adapter` or `out/model`; an interrupted training goes on from its last checkpoint.

    `warn` is told what alerts say, and `watch` looks at the model meanwhile; the weights are the same with it and without.

    Raises `ConfigError` rather than to overwrite the weights of another finished training.
    """
    machine = (numeric(config.hardware), config.backend.name)
    parts = (model_facts(config), config.adapter, machine, config.method, config.loss, config.seed)
    key = key_of(
        *parts,
        config.dataset.chat,
        reward_facts(config) if isinstance(config.method, GrpoMethod) else None,
        base[1],
        prepared.key,
        code_hash(
            "backends",
            "maths",
            "models/load.py",
            "models/adapters.py",
            "models/quantised.py",
            "models/mlx.py",
            "models/mlx_head.py",
        ),
    )
    folder = out / weights_dir(config.adapter)
    if manifest := valid(folder, key):
        return Product(folder, manifest, True)
    if (made := receipt(folder)) is not None and made.key != key:
        raise ConfigError(
            f"{folder} holds the weights of a finished training with other settings, data or version of Trivium; give another "
            "hydra.run.dir, or remove that folder to train anew."
        )
    alone = f"{config.backend.name}.{config.method.name}"
    method = importlib.import_module(f"trivium.backends.{alone if world_size(config.hardware) == 1 else 'process.launch'}")
    trained_on = identity.contents(base[0], Path(config.cache_dir))
    with alerts.watching(config, record, update, warn, out) as guard, checkpoints.aloud(warn):
        metrics = method.train(config, base[0], prepared.folder, out, record=guard, progress=guard.progress, watch=watch)
    files = [path for path in folder.rglob("*") if path.is_file()]
    return Product(folder, seal(folder, "train", key, files, {**metrics, **guard.found}, trained_on), False)


def merged(config: Config, base: tuple[str, str], tuned: Product, out: Path, screen: Screen) -> tuple[str, str]:
    """Path and key of the tuned weights folded into their base, under `out/merged`: what a later training starts from."""
    key = key_of(
        base[1],
        tuned.key,
        config.hardware.dtype,
        code_hash("models/merge.py", "models/load.py", "models/shards.py", "models/low_rank.py"),
    )

    def make(folder: Path) -> Mapping[str, Any]:
        from trivium.models.merge import merge

        with screen.bar("merging"):
            merge(config.model, config.hardware, base[0], tuned.folder.parent, folder)
        return {}

    cached(out / "merged", "merge", key, make)
    return str(out / "merged"), key


def taken_up(config: Config, out: Path, screen: Screen) -> tuple[tuple[str, str], Product]:
    """Of a finished run in `out`: path and key of what it trained from, and the weights.

    Raises `ModelError` when the weights are not there, or not as they were written, or were trained on another base model.
    """
    folder = out / weights_dir(config.adapter)
    found = receipt(folder)
    if found is None or valid(folder, found.key) is None:
        raise ModelError(f"{folder} does not hold the weights of a finished training as they were written; train again.")
    base = _start_of(config, out, screen)
    built = config.starts_from is None and config.model.path is None
    with screen.bar("comparing the base model"):
        identity.require_same(base[0], Path(config.cache_dir), found.inputs, out, built)
    return base, Product(folder, found, True)


def _start_of(config: Config, out: Path, screen: Screen) -> tuple[str, str]:
    if config.starts_from is None:
        return base_model(config, screen)
    folder = out / "arms" / config.starts_from / "merged"
    found = receipt(folder)
    if found is None:
        raise ModelError(f"{folder}, the merged weights that this run started from, is not there; run the experiment again.")
    return str(folder), found.key
