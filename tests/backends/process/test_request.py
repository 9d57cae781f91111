import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trivium.backends.process import request
from trivium.schema import Config

EXPERIMENTS = ("experiment=distrust", "experiment=coherence", "experiment=persona")


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_what_is_read_is_what_was_written(config_of: Callable[..., Config], tmp_path: Path, experiment: str) -> None:
    made = request.Request(config_of(experiment, "method.learning_rate=1e-5"), "base", tmp_path / "p", tmp_path)
    path = request.write(made, tmp_path / "request.json")
    assert request.read(path) == made
    path.write_text(json.dumps(shuffled(json.loads(path.read_text()))))
    found = request.read(path)
    assert found == made
    assert found.key == made.key


def test_machines_share_a_request(config_of: Callable[..., Config], tmp_path: Path) -> None:
    made = request.Request(config_of(), "base", tmp_path, tmp_path)
    other = replace(made.config, hardware=replace(made.config.hardware, machine_rank=1))
    assert replace(made, config=other).key == made.key
    assert replace(made, config=replace(made.config, seed=1)).key != made.key


def shuffled(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    items = list(value.items())
    random.Random(0).shuffle(items)
    return {key: shuffled(item) for key, item in items}
