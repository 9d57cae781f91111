"""The scorers that some rewards need, and nothing else: loaded once, asked in batches, never asked the same twice."""

from collections.abc import Callable, Mapping, Sequence
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
    """Answers questions of any type, each type in one batched call of its scorer, which `load` opens when it is first asked."""

    def __init__(self, load: Callable[[str], Scorer]) -> None:
        self._load = load
        self._scorers: dict[str, Cached] = {}

    def answer(self, questions: Sequence[Question]) -> list[Answer | None]:
        """An answer for each question, in order; None where none could be had. Raises what opening a scorer raises."""
        answers: list[Answer | None] = [None] * len(questions)
        for kind, name in NAMES.items():
            where = [i for i, question in enumerate(questions) if isinstance(question, kind)]
            if where:
                for i, answer in zip(where, self._open(name)([questions[i] for i in where]), strict=True):
                    answers[i] = answer
        return answers

    def _open(self, name: str) -> Cached:
        if name not in self._scorers:
            self._scorers[name] = Cached(self._load(name))
        return self._scorers[name]

    def counters(self) -> dict[str, Counters]:
        """What each scorer has done so far, by name."""
        return {name: scorer.counters for name, scorer in self._scorers.items()}


def load_scorers(config: ScorersConfig, cache_dir: str | Path, progress: Update = lambda *_: None) -> Scorers:
    """The scorers (nli, embeddings, syntax) of a configuration, each opened when it is first asked.

    One without a path is the embedded one, built once into the cache. Opening raises `ModelError` where a model cannot be used,
    and `ConfigError` where its device is not there.
    """
    return Scorers(lambda name: open_scorer(name, getattr(config, name), Path(cache_dir), progress))


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


def open_scorer(name: str, config: ScorerConfig, cache_dir: Path, progress: Update = lambda *_: None) -> Scorer:
    """A scorer by itself, without a cache around it."""
    from trivium.models.quiet import quiet

    with quiet():
        path = config.path if config.path is not None else str(embedded(name, cache_dir, progress))
        return _opened(name, config, path)


def _opened(name: str, config: ScorerConfig, path: str) -> Scorer:
    if name == "nli":
        from trivium.scorers.nli import load_nli

        return load_nli(config, path)
    if name == "embeddings":
        from trivium.scorers.embeddings import load_embeddings

        return load_embeddings(config, path)
    from trivium.scorers.syntax import load_syntax

    return load_syntax(config, path)
