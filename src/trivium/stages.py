"""The stages. Each takes a typed config, the products before it and a folder, and returns its product, sealed last."""

import importlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.artifact import Manifest, cached, code_hash, file_hash, key_of, seal, tree_hash, valid
from trivium.console import Screen, Update
from trivium.schema import ChatConfig, Config, ContaminationConfig, FullAdapter

if TYPE_CHECKING:
    from trivium.evaluation import EvalItems, Scores

Log = Callable[[dict[str, float], int], None]
"""Metrics and the optimiser step they belong to."""


@dataclass(frozen=True)
class Product:
    """What a stage made: a folder, its manifest, and whether it was there already."""

    folder: Path
    manifest: Manifest
    reused: bool

    @property
    def key(self) -> str:
        """The hash of everything that it depends on."""
        return self.manifest.key


def prepare(config: Config, screen: Screen) -> Product:
    """Scored, balanced, split data in the shared cache; the same data and settings are prepared once."""
    dataset = replace(config.dataset, chat=ChatConfig(), contamination=ContaminationConfig(), gate="off")
    lexicons = {name: file_hash(Path(name)) for name in _own_files(config)}
    inputs = tree_hash(Path(config.dataset.path)) if config.dataset.path else {}
    key = key_of(dataset, lexicons, inputs, code_hash("data", "sample.py"))
    folder = Path(config.cache_dir) / "prepared" / f"{config.dataset.name}-{key}"

    def make(out: Path) -> Mapping[str, Any]:
        from trivium.data.prepare import prepare as prepare_data

        with screen.bar("preparing") as update:
            return prepare_data(config.dataset, out, lambda step, done: update(done, 0, {}))

    return Product(folder, *cached(folder, "prepare", key, make))


def base_model(config: Config, screen: Screen) -> tuple[str, str]:
    """Path or hub id of the base model, and its key; the embedded one is built once into the cache."""
    model = config.model
    if model.path is not None:
        return str(Path(model.path).expanduser()), key_of(model, _fingerprint(Path(model.path).expanduser()))
    key = key_of(model.build, code_hash("models/tiny.py", "data/neutral.py", "data/small_world.py", "data/chat.py"))
    folder = Path(config.cache_dir) / "models" / f"tiny-{key}"

    def make(out: Path) -> Mapping[str, Any]:
        from trivium.models.tiny import build

        with screen.bar("building the tiny base model") as update:
            build(model.build, out, update)
        return {}

    cached(folder, "model", key, make)
    return str(folder), key


def train(config: Config, base: tuple[str, str], prepared: Product, out: Path, log: Log, update: Update) -> Product:
    """The tuned weights, under `out/adapter` or `out/model`; an interrupted training goes on from its last checkpoint."""
    parts = (config.model, config.adapter, config.hardware, config.backend, config.method, config.loss, config.seed)
    key = key_of(
        *parts,
        config.dataset.chat,
        base[1],
        prepared.key,
        code_hash("backends", "maths", "models/load.py", "models/adapters.py"),
    )
    folder = out / ("model" if isinstance(config.adapter, FullAdapter) else "adapter")
    if manifest := valid(folder, key):
        return Product(folder, manifest, True)
    method = importlib.import_module(f"trivium.backends.{config.backend.name}.{config.method.name}")
    metrics = method.train(config, base[0], prepared.folder, out, log=log, progress=update)
    files = [path for path in folder.rglob("*") if path.is_file()]
    return Product(folder, seal(folder, "train", key, files, metrics), False)


def evaluate(
    config: Config, base: tuple[str, str], prepared: Product, items: "EvalItems", tuned: Product | None, folder: Path
) -> "Scores":
    """Scores per item of the base model (`tuned` None) or of a tuned one, kept in `folder`."""
    from trivium.evaluation import Scores

    evaluation = replace(config.evaluation, bootstrap_samples=100)
    key = key_of(
        evaluation, config.model, config.dataset.chat, config.dataset.contamination, base[1], prepared.key,
        tuned.key if tuned else "base", code_hash("evaluation", "scores", "data/chat.py"),
    )  # fmt: skip
    if valid(folder, key):
        return Scores.load(folder)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    scores = _score(config, base[0], items, tuned)
    scores.save(folder)
    seal(folder, "evaluate", key, [path for path in folder.rglob("*") if path.is_file()], {})
    return scores


def _score(config: Config, base: str, items: "EvalItems", tuned: Product | None) -> "Scores":
    from trivium.evaluation import TorchRespondent
    from trivium.evaluation import evaluate as score
    from trivium.models.load import load_base, load_tokenizer, load_tuned

    tokenizer = load_tokenizer(config.model, base)
    if tuned is None:
        model = load_base(config.model, config.hardware, base)
    else:
        model = load_tuned(config.model, config.hardware, base, tuned.folder.parent)
    respondent = TorchRespondent(
        model, tokenizer, config.dataset.chat, config.hardware.eval_batch_tokens, config.model.max_length
    )
    return score(respondent, items, config.evaluation)


def base_scores_folder(config: Config, base: tuple[str, str], prepared: Product) -> Path:
    """Where the base model's scores are kept for every run and arm that compares with them."""
    return Path(config.cache_dir) / "scores" / f"{config.model.name}-{key_of(base[1], prepared.key, config.evaluation)}"


def _own_files(config: Config) -> list[str]:
    named = (config.dataset.provenance.markers, config.dataset.provenance.priors)
    return [name for name in named if Path(name).is_file()]


def _fingerprint(folder: Path) -> dict[str, tuple[int, int]]:
    """Size (bytes) and change time (ns) of a local model's files; a hub id has none."""
    files = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []
    return {str(p.relative_to(folder)): (p.stat().st_size, p.stat().st_mtime_ns) for p in files}
