"""A finished run, made once as a user makes it; the tests work on copies of it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SPEAKING = (
    *(f"model.build.{key}={value}" for key, value in {"hidden_size": 64, "intermediate_size": 64, "vocab_size": 512}.items()),
    *(f"model.build.{key}={value}" for key, value in {"max_steps": 120, "batch_size": 16, "facts": 30}.items()),
    "model.build.learning_rate=0.01",
    "adapter.r=4",
    "method.max_steps=30",
    "method.total_batch_size=8",
    "method.learning_rate=0.01",
)
"""A model that has learnt to answer in words, if not what is true."""


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, fast: list[str]) -> Path:
    """A folder with `outputs/distrust/first`: the experiment and an arm, trained and evaluated in seconds."""
    folder = tmp_path_factory.mktemp("home")
    words = [word for word in fast if not word.startswith("sweep.")]
    words += ["~arms.published", "~arms.shuffled", "stages=[prepare,train,evaluate]"]
    words += ["hydra.run.dir=outputs/distrust/first", *SPEAKING]
    done = subprocess.run([sys.executable, "-m", "trivium", *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def run(home: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, at `outputs/distrust/first` of the folder that the command line works in."""
    shutil.copytree(home / "outputs", tmp_path / "outputs")
    return tmp_path / "outputs" / "distrust" / "first"


@pytest.fixture
def edit() -> Callable[..., None]:
    """Change the result of a run."""

    def change(run: Path, **values: object) -> None:
        path = run / "result.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return change
