"""Whole studies in this process: planned as from a command line, and worked on as any worker would."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from trivium.compose import hydra_at
from trivium.errors import ConfigError
from trivium.overrides import checked
from trivium.schema import SweepConfig
from trivium.sweep import confirm, outcome, spec, worker
from trivium.sweep.study import Search

PREFERENCE = "eval/source_preference"


class Bench:
    """Studies below one folder; `words` stand before those of each call."""

    def __init__(self, home: Path, words: list[str]) -> None:
        self.home, self.words = home, words
        self._check = partial(checked, config_dir=None)

    def plan(self, *words: str, name: str = "study") -> spec.Spec:
        """What a command line asks for; raises `ConfigError`."""
        with hydra_at():
            return spec.plan([*self.words, *words], lambda _: self.home / name, None, self._check)

    def problems(self, *words: str) -> list[str]:
        """What is wrong with a command line."""
        with pytest.raises(ConfigError) as refused:
            self.plan(*words)
        return refused.value.problems

    def wanted(self, search: Search) -> list[confirm.Again]:
        """What confirms a study."""
        with hydra_at():
            return confirm.wanted(search, self._check)

    def open(self, name: str = "study") -> Search:
        """The study in a folder, as another process sees it."""
        known = spec.load(self.home / name)
        with hydra_at():
            return Search(known, self._check([*known.fixed, spec.ALONE]).tracking)

    def begin(self, *words: str, name: str = "study") -> Search:
        """A study, or the next part of one, on which nobody works yet."""
        planned = self.plan(*words, name=name)
        if (planned.folder / spec.SPEC).is_file():
            spec.require_same(planned, spec.load(planned.folder))
        planned.write()
        return self.open(name)

    def run(self, *words: str, name: str = "study") -> Search:
        """A study worked on by this process until a worker would leave."""
        self.begin(*words, name=name)
        while worker.work(self.home / name):
            pass
        return self.open(name)

    def wrote(self, search: Search, number: int, metrics: Mapping[str, Any], status: str = "ok", items: str = "a") -> None:
        """The files of a trial, as if it had been trained."""
        for folder in outcome.folders(search.folder_of(number), search.sweep):
            (folder / "evaluation").mkdir(parents=True, exist_ok=True)
            scores = {"items": {"source_preference": {f"{items}{i}": 1.0 for i in range(4)}}, "readings": {}}
            (folder / "evaluation" / "scores.json").write_text(json.dumps(scores), encoding="utf-8")
            (folder / "result.json").write_text(json.dumps({"status": status, "metrics": metrics}), encoding="utf-8")

    def end(self, search: Search, trial: Any, value: float, items: str = "a") -> None:
        """End a trial with a value, as its worker would."""
        self.wrote(search, trial.number, {PREFERENCE: value}, items=items)
        search.settle(trial, outcome.read(search.folder_of(trial.number), search.sweep), 1.0)


@pytest.fixture
def bench(tmp_path: Path, fast: list[str]) -> Bench:
    """Studies on alpha, of fast trials."""
    return Bench(tmp_path, ["sweep=alpha", *fast])


@pytest.fixture
def told() -> Callable[[Search], list[tuple[Any, ...]]]:
    """Points, states and values of all trials that were begun, in their order."""

    def tell(search: Search) -> list[tuple[Any, ...]]:
        return [(t.params, t.state.name, t.values) for t in search.trials() if t.state.name != "WAITING"]

    return tell


@pytest.fixture
def seeking() -> Callable[..., SweepConfig]:
    """A sweep's settings by what is sought, {metric: direction}."""
    return lambda goals, **settings: SweepConfig(objectives=[f"{way} {metric}" for metric, way in goals.items()], **settings)
