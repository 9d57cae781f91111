"""Reward sets with their models: the one that trains, the one that measures, and the trial before either is used."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from trivium.data import chat
from trivium.errors import ConfigError
from trivium.rewards.compose import Composition
from trivium.rewards.terms import gold, terms
from trivium.sample import Sample
from trivium.schema import Config, ScorersConfig
from trivium.scorers.load import NAMES, Scorers, load_scorers
from trivium.scores.ask import Question
from trivium.scores.completion import Completion, joined, split

logger = logging.getLogger(__name__)

GOLD, PROXY = "gold_reward", "proxy_reward"
TRIED = 16
"""References that a reward set is tried on."""


def proxy(config: Config) -> Composition:
    """The rewards that the policy is trained on."""
    return Composition(terms(config.reward.terms), _models(config, config.reward.scorers).answer)


def watcher(config: Config) -> Composition:
    """The gold reward, which the policy is never trained on; without terms where there is none."""
    return Composition(gold(config.reward), _models(config, config.reward.gold_scorers).answer)


def measures(config: Config) -> Composition:
    """What the evaluation measures beside the gold reward and the proxy."""
    return Composition(
        terms(config.evaluation.scores, "evaluation.scores"), _models(config, config.reward.gold_scorers).answer
    )


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
    silent = [name for name, missing in zip(table.names, np.isnan(table.raw).all(axis=0), strict=True) if missing]
    failed = [name for name in silent if table.failures[name]]
    if failed or len(silent) == len(table.names):
        raise ConfigError(
            f"reward: {', '.join(failed or silent)} cannot score any of {len(tried)} reference answers; look at its options and "
            "at the columns that it needs, or take it out with ~reward.terms.<name>."
        )
    for name in silent:
        logger.warning("the reward %s gives no value for any of %d reference answers", name, len(tried))


def as_completion(config: Config, sample: Sample) -> Completion:
    """A reference as a completion in the think format."""
    tags = chat.tags(config.dataset.chat)
    return split(joined(sample.thinking or "…", sample.reference or "", tags), tags)


class _Models:
    """The models of a set; each is opened when it is first asked, so that rewards without models need none."""

    def __init__(self, which: ScorersConfig, cache_dir: str) -> None:
        self._which, self._cache_dir = which, cache_dir
        self._opened: dict[str, Scorers] = {}

    def answer(self, questions: Sequence[Question]) -> list[Any]:
        """Answers in order, None where none could be had; raises what opening a model raises."""
        answers: list[Any] = [None] * len(questions)
        for kind in dict.fromkeys(map(type, questions)):
            where = [i for i, question in enumerate(questions) if type(question) is kind]
            for i, found in zip(where, self._open(NAMES[kind]).answer([questions[i] for i in where]), strict=True):
                answers[i] = found
        return answers

    def _open(self, name: str) -> Scorers:
        if name not in self._opened:
            self._opened[name] = load_scorers(self._which, self._cache_dir, (name,))
        return self._opened[name]


_known: dict[str, _Models] = {}


def _models(config: Config, which: ScorersConfig) -> _Models:
    """The models of a set, the same in all of a process: the same settings share models and what was asked of them."""
    return _known.setdefault(f"{config.cache_dir} {which}", _Models(which, config.cache_dir))
