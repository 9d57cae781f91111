"""Data: fetched, and prepared for training."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.acquire import place
from trivium.artifact import cached, code_hash, key_of, seal, tree_hash, valid
from trivium.console import Screen, Update
from trivium.schema import ChatConfig, Config, ContaminationConfig, DatasetConfig, OpenAIGenerator, TemplateGenerator
from trivium.stages.product import Product, own_files

if TYPE_CHECKING:
    from trivium.data.progress import Progress


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
    lexicons = own_files(dataset.provenance.markers, dataset.provenance.priors)
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
        own_files(*filter(None, files)),
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
