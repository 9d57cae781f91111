"""A reward set is tried on reference answers before anything is trained on it."""

import logging
from collections.abc import Sequence

import numpy as np

from trivium.data import chat
from trivium.errors import ConfigError
from trivium.rewards.compose import Composition
from trivium.rewards.terms import gold, terms
from trivium.sample import Sample
from trivium.schema import Config
from trivium.scorers.load import load_scorers
from trivium.scores.completion import joined, split

logger = logging.getLogger(__name__)

TRIED = 16
"""References that are scored."""


def open_composition(config: Config, samples: Sequence[Sample]) -> Composition:
    """The configured rewards, their models loaded and every term tried on references.

    Raises `ConfigError` for a term that gives no value for any of them, and `ModelError` for a model that cannot be loaded.
    """
    scorers = load_scorers(config.reward.scorers, config.cache_dir)
    composition = Composition(terms(config.reward), scorers.answer)
    watched = gold(config.reward)
    tags = chat.tags(config.dataset.chat)
    tried = [sample for sample in samples if sample.reference][:TRIED]
    if not tried:
        logger.warning("no training question has a reference answer; rewards that compare with one give no value")
        return composition
    whole = Composition([*composition.terms, *([watched] if watched else [])], composition.answer)
    read = [split(joined(sample.thinking or "…", sample.reference or "", tags), tags) for sample in tried]
    table = whole.score(read, tried)
    silent = [name for name, missing in zip(table.names, np.isnan(table.raw).all(axis=0), strict=True) if missing]
    for name in silent:
        failed = f"; it failed on {table.failures[name]} of them" if table.failures[name] else ""
        logger.warning("the reward %s gives no value for any of %d reference answers%s", name, len(tried), failed)
    if len(silent) == len(table.names) or any(table.failures[name] == len(tried) for name in silent):
        raise ConfigError(
            f"reward: {', '.join(silent)} cannot score any of {len(tried)} reference answers; look at its options and at the "
            "columns that it needs, or take it out of reward.terms."
        )
    return composition
