"""Model card and dataset card in the Hub's format; what is pushed, and how, is in `trivium.export.hub`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivium.errors import ConfigError
from trivium.export import card, card_data, hub
from trivium.export.job import Job
from trivium.export.runtime import Variant
from trivium.schema import ExportConfig


def needs(config: ExportConfig) -> tuple[str, ...]:
    """What is uploaded beside the cards. Raises `ConfigError` for a push without a repository or a token."""
    if problems := list(hub.problems(config.hub)):
        raise ConfigError(problems)
    return (config.hub.content,) if config.hub.push else ()


def make(job: Job, out: Path, made: Mapping[str, Path]) -> Mapping[str, Any]:
    """Write both cards; returns what a push would need to be told of them."""
    texts = {card.CARD: card.model_card(job, made), f"dataset/{card.CARD}": card_data.dataset_card(job)}
    for name, text in texts.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(text, encoding="utf-8", newline="\n")
    return {"evaluated": card.evaluated(job), "forced": list(job.forced)}


def variants(job: Job, folder: Path, made: Mapping[str, Path]) -> list[Variant]:
    """None: cards are not run."""
    return []
