"""The resolved configuration of every experiment is checked in: a changed default shows as a diff.

`TRIVIUM_GOLDEN=write pytest tests/test_golden.py` writes them anew.
"""

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from trivium.compose import options
from trivium.schema import Config

GOLDEN = Path(__file__).parent / "golden"


OWN = ("coherence_8b", "coherence_8b_as_run", "corrections")
"""Experiments on questions of one's own."""


@pytest.mark.parametrize("experiment", options("experiment"))
def test_resolved_configuration(
    config_of: Callable[..., Config], experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = GOLDEN / f"{experiment}.yaml"
    monkeypatch.chdir(tmp_path)
    Path("questions.jsonl").touch()
    resolved = asdict(config_of(f"experiment={experiment}", *(["dataset.path=questions.jsonl"] if experiment in OWN else [])))
    if os.environ.get("TRIVIUM_GOLDEN") == "write":
        path.write_text(yaml.safe_dump(resolved, sort_keys=False))
    assert yaml.safe_load(path.read_text()) == resolved
