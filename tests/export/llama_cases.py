"""What the tests of GGUF share: the converter's copy, finished runs of small shapes, and the comparison with the reference."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.export import shapes

from trivium.console import Screen
from trivium.errors import ModelError
from trivium.export import battery, parity, reference
from trivium.export.job import Job
from trivium.export.kinds import merged
from trivium.export.llama import source
from trivium.export.runtime import Variant
from trivium.schema import Config

CACHE = Path(__file__).parents[2] / "data" / "cache"
"""Where `make setup` puts the converter."""

needs_llama_cpp = pytest.mark.skipif("not __import__('importlib.util').util.find_spec('llama_cpp')", reason="the extra gguf")


def converter() -> Path:
    """The converter, unpacked once; the test is skipped where it can neither be found nor fetched."""
    try:
        return source.find(CACHE)
    except ModelError as error:
        pytest.skip(str(error))


def finished(shape: str, folder: Path, config_of: Callable[..., Config], *overrides: str, hidden: int = 256) -> Job:
    """A run that tuned a base model of a shape, and has been merged."""
    base, run = folder / "base", folder / "run"
    if not base.is_dir():
        shapes.make(shape, base, hidden, clear=True)
    if not run.is_dir():
        shapes.tune(base, run)
    words = ("arms=null", "model=hf", f"model.path={base}", f"cache_dir={folder / 'cache'}", "name=small", *overrides)
    job = Job(config_of(*words), str(base), run, run / "export", Screen())
    if not (job.folder / "merged").is_dir():
        (job.folder / "merged").mkdir(parents=True)
        merged.make(job, job.folder / "merged", {})
    return job


def certificates(job: Job, variants: list[Variant], prompts: int = 4) -> dict[str, parity.Certificate]:
    """Every form compared with the reference, by name."""
    settings = job.config.export.parity
    with reference.tuned(job) as runtime:
        turns = battery.conversations(runtime.tokenizer)
        seen = parity.observe(runtime, turns, battery.prompts(job, runtime.tokenizer, prompts), settings)
    return {variant.name: parity.certify(variant, seen, settings, job.folder) for variant in variants}


def use_converter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every folder's cache share the one copy."""
    monkeypatch.setenv(source.VARIABLE, os.fspath(converter()))
