"""The scorers that some rewards need, and nothing else: loaded once, asked in batches, never asked the same twice."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from trivium.artifact import cached, code_hash, key_of
from trivium.schema import ScorerConfig, ScorersConfig
from trivium.scorers.base import Answer, Cached, Counters, Scorer
from trivium.scores.ask import Embed, Entail, Parse, Question

Update = Callable[[int, int, Mapping[str, float]], None]

NAMES: dict[type, str] = {Entail: "nli", Embed: "embeddings", Parse: "syntax"}
"""Which scorer answers a type of question."""

SEED = 0
"""Seed of the embedded scorers: they are the same in every run."""


class Scorers:
    """Answers questions of any type, each type in one batched call of its scorer."""

    def __init__(self, scorers: Mapping[str, Scorer]) -> None:
        self._scorers = {name: Cached(scorer) for name, scorer in scorers.items()}

    def answer(self, questions: Sequence[Question]) -> list[Answer | None]:
        """An answer for each question, in order; None where none could be had. `KeyError` for a type that was not loaded."""
        answers: list[Answer | None] = [None] * len(questions)
        for kind, name in NAMES.items():
            where = [i for i, question in enumerate(questions) if isinstance(question, kind)]
            if where:
                for i, answer in zip(where, self._scorers[name]([questions[i] for i in where]), strict=True):
                    answers[i] = answer
        return answers

    def counters(self) -> dict[str, Counters]:
        """What each scorer has done so far, by name."""
        return {name: scorer.counters for name, scorer in self._scorers.items()}


def load_scorers(
    config: ScorersConfig, cache_dir: str | Path, which: Collection[str], progress: Update = lambda *_: None
) -> Scorers:
    """The scorers named in `which` (nli, embeddings, syntax).

    One without a path is the embedded one, built once into the cache. Raises `ModelError` where a model cannot be used, and
    `ConfigError` where its device is not there.
    """
    return Scorers(
        {name: _load(name, getattr(config, name), Path(cache_dir), progress) for name in NAMES.values() if name in which}
    )


def embedded(name: str, cache_dir: Path, progress: Update = lambda *_: None) -> Path:
    """The folder of an embedded scorer, which is built where it is not in the cache yet."""
    key = key_of(name, SEED, code_hash("scorers/tiny", "data/logic_world.py", "data/small_world.py"))
    folder = cache_dir / "scorers" / f"{name}-{key}"

    def make(out: Path) -> Mapping[str, Any]:
        _build(name, out, progress)
        return {}

    cached(folder, "scorer", key, make)
    return folder


def _build(name: str, out: Path, progress: Update) -> None:
    from trivium.scorers import tiny

    if name == "nli":
        tiny.build_nli(out, SEED, progress)
    elif name == "embeddings":
        tiny.build_embeddings(out, SEED)
    else:
        tiny.build_syntax(out, SEED)


def _load(name: str, config: ScorerConfig, cache_dir: Path, progress: Update) -> Scorer:
    path = config.path if config.path is not None else str(embedded(name, cache_dir, progress))
    if name == "nli":
        from trivium.scorers.nli import load_nli

        return load_nli(config, path)
    if name == "embeddings":
        from trivium.scorers.embeddings import load_embeddings

        return load_embeddings(config, path)
    from trivium.scorers.syntax import load_syntax

    return load_syntax(config, path)
