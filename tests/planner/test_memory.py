"""Predicted bytes against those that tensors really take, part by part."""

from pathlib import Path
from typing import Any

import pytest
from tests.planner.measured import CASES, Case, measured

BELOW, WITHIN = 0.03, 0.1
"""What a plan may promise too little, and too much: rows of several lengths make the longest and the fullest batch differ."""
LONG = (CASES[1], CASES[4], CASES[5], CASES[11])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("measured")


def _marked(case: Case) -> Any:
    """A case for every part; those that differ least from others wait for a release."""
    return pytest.param(case, marks=[pytest.mark.long] if case in LONG else [])


@pytest.mark.parametrize("case", map(_marked, CASES), ids=map(str, CASES))
def test_peaks_are_what_they_were_said_to_be(case: Case, folder: Path) -> None:
    found = measured(case, folder)
    for part in ("weights", "optimiser"):
        assert found.predicted[part] == pytest.approx(found.measured[part], rel=0.01), part
    assert -BELOW <= found.predicted["rest"] / found.measured["rest"] - 1 <= WITHIN
    assert -BELOW <= found.predicted["total"] / found.measured["total"] - 1 <= WITHIN
