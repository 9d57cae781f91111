"""What is asked of a model, what it answers, and what attacks a reward set pays."""

import importlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.artifact import cached, code_hash, file_hash, key_of, write_json
from trivium.console import Screen
from trivium.kept import Kept
from trivium.models.quantised import for_evaluation
from trivium.schema import CoherenceEvaluation, Config, PersonaEvaluation, PersonaTargets
from trivium.stages.product import Product, model_facts, own_files, reward_facts

if TYPE_CHECKING:
    from trivium.evaluation import EvalItems, Scores
    from trivium.evaluation.items import Measure
    from trivium.evaluation.run import Evaluation


_items: "Kept[EvalItems]" = Kept(4)
"""Of several arms, and of the trials before."""


def items_of(config: Config, prepared: Product) -> "EvalItems":
    """What the evaluation asks, without what training has seen; gathered once in a process for the same data and settings."""
    from trivium.evaluation import load_items

    key = key_of(config.evaluation, own_files(*config.evaluation.suites), config.dataset, prepared.key)
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
        own_files(*config.evaluation.suites),
        model_facts(config),
        config.backend.name,
        config.hardware.dtype,
        config.dataset.chat,
        config.dataset.contamination,
        base[1],
        _what_is_asked(prepared, items),
        tuned.key if tuned else "base",
        for_evaluation(config),
        (reward_facts(config), getattr(config.method, "max_completion_length", None))
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
    key = key_of(reward_facts(replace(config, reward=reward)), reward, config.dataset.chat, config.seed, prepared.key)
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
