"""A prepared archive, as the evaluation finds it."""

from pathlib import Path

import pytest

from trivium.data.prepare import prepare
from trivium.evaluation import EvalItems, load_items
from trivium.schema import DatasetConfig, EvaluationConfig


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    prepare(DatasetConfig(generator="micro_archive"), folder)
    return folder


@pytest.fixture(scope="session")
def items(archive: Path) -> EvalItems:
    return load_items(EvaluationConfig(), DatasetConfig(generator="micro_archive"), archive)
