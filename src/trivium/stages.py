"""The stages. Each takes a typed config, the products before it and a folder, and returns its product, sealed last."""

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.acquire import place
from trivium.artifact import Manifest, cached, code_hash, file_hash, key_of, receipt, seal, tree_hash, valid, write_json
from trivium.backends import alerts, checkpoints
from trivium.backends.shape import numeric, world_size
from trivium.console import Screen, Update
from trivium.errors import ConfigError, ModelError
from trivium.kept import Kept
from trivium.models import identity
from trivium.models.load import weights_dir
from trivium.models.quantised import for_evaluation
from trivium.schema import (
    ChatConfig,
    CoherenceEvaluation,
    Config,
    ContaminationConfig,
    DatasetConfig,
    GrpoMethod,
    OpenAIGenerator,
    PersonaEvaluation,
    PersonaTargets,
    TemplateGenerator,
)
from trivium.tracking import Tracker

if TYPE_CHECKING:
    from trivium.data.progress import Progress
    from trivium.evaluation import EvalItems, Scores
    from trivium.evaluation.items import Measure
    from trivium.evaluation.probe import Watch
    from trivium.evaluation.run import Evaluation


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
    """Split data in the shared cache, ready to train on; the same data and settings are prepared once."""
    folder, key, make_into = _preparation(config)

    def make(out: Path) -> Mapping[str, Any]:
        with screen.bar("preparing") as update:
            return make_into(out, _steps(update))

    return Product(folder, *cached(folder, "prepare", key, make))


def prepared_before(config: Config) -> Path | None:
    """The folder of the prepared data, where it is in the shared cache already."""
    if config.dataset.path and not Path(config.dataset.path).exists():
        return None
    folder, key, _ = _preparation(config)
    return folder if valid(folder, key) else None


def _preparation(config: Config) -> tuple[Path, str, Callable[[Path, "Progress"], Mapping[str, Any]]]:
    """Folder and key of the prepared data, and what writes them."""
    made_from, make_into = (_library if config.dataset.kind == "library" else _rows)(config)
    key = key_of(*made_from)
    return Path(config.cache_dir) / "prepared" / f"{config.dataset.name}-{key}", key, make_into


Preparation = tuple[tuple[Any, ...], Callable[[Path, "Progress"], Mapping[str, Any]]]
"""What prepared data depend on, and what writes them into a folder and returns the report."""


def _rows(config: Config) -> Preparation:
    """Documents, scored and balanced, or questions."""
    questions = config.dataset.kind == "questions"
    dataset = as_prepared(config.dataset, config.dataset.chat if questions else ChatConfig())
    lexicons = _own_files(dataset.provenance.markers, dataset.provenance.priors)
    inputs = tree_hash(Path(config.dataset.path)) if config.dataset.path else {}

    def make(out: Path, tell: "Progress") -> Mapping[str, Any]:
        room = importlib.import_module(f"trivium.{'data.questions.prepare' if questions else 'data.prepare'}")
        report: Mapping[str, Any] = room.prepare(config.dataset, out, tell)
        return report

    return (dataset, lexicons, inputs, code_hash("data", "sample.py")), make


def _library(config: Config) -> Preparation:
    """Passages, conversations about them and dated questions; what a teacher wrote is kept apart and never asked for again."""
    from trivium.data.library import period, themes

    library = config.dataset.library
    lexicons = (library.themes.lexicon, library.period.anachronisms)
    files = (library.persona, library.themes.ordinary, library.period.facts, *lexicons)
    inputs = {path: tree_hash(Path(path).expanduser()) for path in (config.dataset.path, library.general.path) if path}

    def make(out: Path, tell: "Progress") -> Mapping[str, Any]:
        from trivium.data.library.prepare import prepare as prepare_library

        return prepare_library(config.dataset, config.generator, Path(config.cache_dir), out, tell)

    made_from = (
        as_prepared(config.dataset, ChatConfig()),
        what_is_written(config.generator),
        (themes.load(lexicons[0]), period.load(lexicons[1]).lexicon),
        _own_files(*filter(None, files)),
        inputs,
        code_hash("data", "generation", "sample.py"),
    )
    return made_from, make


def as_prepared(dataset: DatasetConfig, chat: ChatConfig) -> DatasetConfig:
    """A dataset's settings without those that only later stages read."""
    return replace(dataset, chat=chat, contamination=ContaminationConfig(), gate="off")


def _steps(update: Update) -> "Progress":
    """A bar that counts what a preparation has seen, whatever step it is at."""
    return lambda _step, done: update(done, 0, {})


def what_is_written(generator: TemplateGenerator | OpenAIGenerator) -> Any:
    """A generator's settings without those that only say how a teacher is asked, and what may be paid."""
    if isinstance(generator, TemplateGenerator):
        return generator
    plain = replace(generator, price_per_million_input=0.0, price_per_million_output=0.0, max_cost=None)
    return replace(plain, concurrency=1, timeout=1.0, retries=0)


def acquire(config: Config, screen: Screen) -> tuple[dict[str, Any], Path]:
    """What was fetched, and the folder that it lies in.

    It is never skipped, for what could not be had yesterday may be there today; items that are there are not fetched again.
    """
    from trivium.acquire.run import acquire as fetch

    folder = place.folder(config.acquire)
    with screen.bar(f"fetching {config.acquire.name}") as update:
        report = fetch(config.acquire, folder, _steps(update))
    files = [folder / name for name in ("report.json", "provenance.jsonl") if (folder / name).is_file()]
    seal(folder, "acquire", key_of(config.acquire), files, report["totals"])
    return report, folder


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
    parts = (_model_facts(config), config.adapter, machine, config.method, config.loss, config.seed)
    key = key_of(
        *parts,
        config.dataset.chat,
        _reward_facts(config) if isinstance(config.method, GrpoMethod) else None,
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


_items: "Kept[EvalItems]" = Kept(4)
"""Of several arms, and of the trials before."""


def items_of(config: Config, prepared: Product) -> "EvalItems":
    """What the evaluation asks, without what training has seen; gathered once in a process for the same data and settings."""
    from trivium.evaluation import load_items

    key = key_of(config.evaluation, _own_files(*config.evaluation.suites), config.dataset, prepared.key)
    return _items.get(key, lambda: load_items(config.evaluation, config.dataset, prepared.folder))


def evaluate(
    config: Config,
    base: tuple[str, str],
    prepared: Product,
    items: "EvalItems",
    tuned: Product | None,
    folder: Path | None = None,
) -> "Scores":
    """Scores per item of the base model (`tuned` None) or of a tuned one, kept in `folder`, by default the shared cache."""
    from trivium.evaluation import Scores

    key = key_of(
        _asked(config.evaluation),
        _own_files(*config.evaluation.suites),
        _model_facts(config),
        config.backend.name,
        config.hardware.dtype,
        config.dataset.chat,
        config.dataset.contamination,
        base[1],
        _what_is_asked(prepared, items),
        tuned.key if tuned else "base",
        for_evaluation(config),
        (_reward_facts(config), getattr(config.method, "max_completion_length", None))
        if isinstance(config.evaluation, CoherenceEvaluation)
        else None,
        code_hash("evaluation", "scores", "models", "data/chat.py", "generation/persona.py", "generation/server.py"),
    )
    folder = folder or Path(config.cache_dir) / "scores" / f"{config.model.name}-{key}"

    def make(out: Path) -> Mapping[str, Any]:
        _score(config, base[0], items, tuned).save(out)
        return {}

    cached(folder, "evaluate", key, make)
    return Scores.load(folder)


def audit_rewards(config: Config, prepared: Product, screen: Screen) -> dict[str, Any]:
    """What attacks the reward set pays; the same rewards on the same questions are attacked once."""
    reward = replace(config.reward, shuffle=False, audit="off")
    key = key_of(_reward_facts(replace(config, reward=reward)), reward, config.dataset.chat, config.seed, prepared.key)
    folder = Path(config.cache_dir) / "audits" / f"{config.reward.name}-{key}"

    def make(out: Path) -> Mapping[str, Any]:
        from trivium.data.chat import tags
        from trivium.data.jsonl import read_samples
        from trivium.rewards.audit import audit
        from trivium.rewards.rehearse import proxy

        samples = list(read_samples(prepared.folder / "train.jsonl"))
        with screen.bar(f"attacking reward={config.reward.name}"):
            report = audit(proxy(config), samples, config.reward, tags(config.dataset.chat), config.seed)
        write_json(out / "report.json", report)
        return {}

    cached(folder, "audit", key, make)
    found: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return found


def _score(config: Config, base: str, items: "EvalItems", tuned: Product | None) -> "Scores":
    from trivium.evaluation import evaluate as score

    room = importlib.import_module(f"trivium.evaluation.{config.backend.name}")
    return score(room.respondent(config, base, tuned.folder.parent if tuned else None), items, *how_asked(config))


def how_asked(config: Config) -> tuple["Evaluation", "Measure | None"]:
    """The evaluation with the length that answers may have, and what measures answers to held-out questions."""
    if not isinstance(config.evaluation, CoherenceEvaluation):
        return config.evaluation, None
    from trivium.evaluation.answers import measure

    longest = config.evaluation.max_new_tokens or getattr(config.method, "max_completion_length", None)
    return replace(config.evaluation, max_new_tokens=longest), measure(config)


def _what_is_asked(prepared: Product, items: "EvalItems") -> tuple[Any, ...]:
    """The files that questions and documents come from, and which of them were left out: arms that train on other rows of the
    same data ask the same.
    """
    others = ("train.jsonl", "rejects.jsonl", "report.json", "sources.json")
    return {name: sha for name, sha in prepared.manifest.files.items() if name not in others}, sorted(items.seen)


def _asked(evaluation: Any) -> Any:
    """An evaluation's settings without those that only judge what was answered."""
    plain = replace(evaluation, bootstrap_samples=100)
    if not isinstance(evaluation, PersonaEvaluation):
        return plain
    from trivium.evaluation.style import ORDINARY

    return replace(plain, targets=PersonaTargets(), gate="off", samples_shown=0), file_hash(ORDINARY)


def _reward_facts(config: Config) -> tuple[Any, ...]:
    """What the values of rewards depend on: terms, models, lexicons, and the code of all of them."""
    reward = config.reward
    named = [value for term in (*reward.terms.values(), reward.gold) for value in term.get("args", {}).values()]
    files = _own_files(*(value for value in named if isinstance(value, str)))
    return (
        reward.terms,
        reward.gold,
        reward.shuffle,
        reward.scorers,
        reward.gold_scorers,
        files,
        code_hash("rewards", "scores", "scorers"),
    )


def _model_facts(config: Config) -> tuple[Any, ...]:
    return config.model, _own_files(config.model.chat_template or "")


def _own_files(*names: str) -> dict[str, str]:
    """Hashes of the files among the names; the others are shipped and part of the code."""
    paths = {name: Path(name).expanduser() for name in names}
    return {name: file_hash(path) for name, path in paths.items() if path.is_file()}


def _fingerprint(folder: Path) -> dict[str, tuple[int, int]]:
    """Size (bytes) and change time (ns) of a local model's files; a hub id has none."""
    files = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []
    return {str(p.relative_to(folder)): (p.stat().st_size, p.stat().st_mtime_ns) for p in files}
