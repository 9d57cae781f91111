"""Small random models with an adapter, the forms that are made of them, and their certificates."""

import io
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from tests.export import shapes

from trivium.console import Screen
from trivium.export import battery, parity, reference, run
from trivium.export.job import Job
from trivium.export.parity import Certificate
from trivium.schema import Config


def job_of(config: Config, base: Path, folder: Path) -> Job:
    """The run in `folder`, trained on `base`; its screen remembers what is said."""
    screen = Screen(Console(file=io.StringIO(), width=200))
    return Job(config, str(base), folder, folder / "export", screen)


def tuned(shape: str, folder: Path, hidden: int = 64, dtype: str = "float32") -> tuple[Path, Path]:
    """A base model of a shape and a run with an adapter for it."""
    base, finished = folder / "base", folder / "run"
    shapes.make(shape, base, hidden=hidden, dtype=dtype)
    shapes.tune(base, finished)
    return base, finished


def said(job: Job) -> str:
    """What the screen was told."""
    file = job.screen.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def make(job: Job, kind: str, made: Mapping[str, Path]) -> Path:
    """One form, in its place."""
    folder = job.folder / kind
    folder.mkdir(parents=True)
    run.room(kind).make(job, folder, made)
    return folder


def certificates(job: Job, kind: str, made: Mapping[str, Path]) -> dict[str, Certificate]:
    """Of every variant of a form that is made."""
    settings = job.config.export.parity
    with reference.tuned(job) as runtime:
        turns = battery.conversations(runtime.tokenizer)
        seen = parity.observe(runtime, turns, battery.prompts(job, runtime.tokenizer, settings.prompts), settings)
    found = run.room(kind).variants(job, made[kind], made)
    return {one.name: parity.certify(one, seen, settings, job.folder) for one in found}
