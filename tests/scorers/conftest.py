import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trivium.scorers.load import embedded


@pytest.fixture(scope="session")
def tiny_scorer(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of an embedded scorer, built when a test first asks for it."""
    cache = tmp_path_factory.mktemp("scorers")
    return lambda name: embedded(name, cache)


@pytest.fixture
def real_scorer() -> Callable[[str], str]:
    """The path of a real scorer below the folder that TRIVIUM_REAL_SCORERS names."""

    def path(name: str) -> str:
        folder = os.environ.get("TRIVIUM_REAL_SCORERS")
        if not folder or not (Path(folder) / name).is_dir():
            pytest.skip(f"TRIVIUM_REAL_SCORERS names no folder that holds {name}")
        return str(Path(folder) / name)

    return path


class Recorder:
    """A scorer that answers with the text's length, and remembers what it was asked; `None` for the empty text."""

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()
        self.calls: list[list[Any]] = []

    def __call__(self, questions: Any) -> list[Any]:
        self.calls.append(list(questions))
        self.failures["empty"] += sum(not question[0] for question in questions)
        return [len(question[0]) or None for question in questions]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()
