"""Reward sets with their models: the one that trains, the one that measures, and the trial before either is used."""

import logging
from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from trivium.data import chat
from trivium.errors import ConfigError
from trivium.rewards.compose import Composition
from trivium.rewards.terms import gold, terms
from trivium.sample import Sample
from trivium.schema import Config, ScorersConfig
from trivium.scorers.load import Scorers, load_scorers
from trivium.scores.completion import Completion, joined, split

logger = logging.getLogger(__name__)

GOLD, PROXY = "gold_reward", "proxy_reward"
TRIED = 16
"""References that a reward set is tried on."""


def proxy(config: Config) -> Composition:
    """The rewards that the policy is trained on."""
    return Composition(terms(config.reward.terms), _scorers(config, config.reward.scorers).answer)


def watcher(config: Config) -> Composition:
    """The gold reward, which the policy is never trained on; without terms where there is none."""
    return Composition(gold(config.reward), _scorers(config, watching(config)).answer)


def measures(config: Config) -> Composition:
    """What the evaluation measures beside the gold reward and the proxy."""
    return Composition(terms(config.evaluation.scores, "evaluation.scores"), _scorers(config, watching(config)).answer)


def rehearse(config: Config, composition: Composition, samples: Sequence[Sample]) -> None:
    """Score references before anything is trained.

    Raises `ConfigError` for a term that fails on all of them, and `ModelError` for a model that cannot be loaded; warns of one
    that has no value for any.
    """
    tried = [sample for sample in samples if sample.reference][:TRIED]
    if not tried:
        logger.warning("no training question has a reference answer; rewards that compare with one give no value")
        return
    table = composition.score([as_completion(config, sample) for sample in tried], tried)
    silent = [name for k, name in enumerate(table.names) if np.isnan(table.raw[:, k]).all()]
    failed = [name for name in silent if table.failures[name]]
    if failed or len(silent) == len(table.names):
        raise ConfigError(
            f"reward: {', '.join(failed or silent)} cannot score any of {len(tried)} reference answers; look at its options "
            "and at the columns that it needs, or take it out with ~reward.terms.<name>."
        )
    for name in silent:
        logger.warning("the reward %s gives no value for any of %d reference answers", name, len(tried))


def as_completion(config: Config, sample: Sample) -> Completion:
    """A reference as a completion in the think format."""
    tags = chat.tags(config.dataset.chat)
    return split(joined(sample.thinking or "…", sample.reference or "", tags), tags)


def watching(config: Config) -> ScorersConfig:
    """The models of the gold reward and the evaluation: where one is not named, that of the terms."""
    own, terms_own = config.reward.gold_scorers, config.reward.scorers
    chosen = {f.name: getattr(own if getattr(own, f.name).path is not None else terms_own, f.name) for f in fields(own)}
    return ScorersConfig(**chosen)


def embedded_asked(config: Config) -> list[str]:
    """The embedded scorers that were asked about questions that are not generated: they know no other world."""
    if config.dataset.generator is not None:
        return []
    opened = _scorers(config, config.reward.scorers).counters()
    return [name for name in opened if getattr(config.reward.scorers, name).path is None]


_known: dict[str, Scorers] = {}


def _scorers(config: Config, which: ScorersConfig) -> Scorers:
    """The models of a set, the same in all of a process: the same settings share models and what was asked of them."""
    return _known.setdefault(f"{config.cache_dir} {which}", load_scorers(which, config.cache_dir))
