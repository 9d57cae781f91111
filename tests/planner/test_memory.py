"""Predicted bytes against those that tensors really take, part by part."""

from pathlib import Path

import pytest
from tests.planner.measured import CASES, Case, measured

WITHIN = 0.1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("measured")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_peaks_are_what_they_were_said_to_be(case: Case, folder: Path) -> None:
    found = measured(case, folder)
    for part in ("weights", "optimiser"):
        assert found.predicted[part] == pytest.approx(found.measured[part], rel=0.01), part
    assert found.predicted["rest"] == pytest.approx(found.measured["rest"], rel=WITHIN)
    assert found.predicted["total"] == pytest.approx(found.measured["total"], rel=WITHIN)
