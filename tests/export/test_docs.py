"""The page of exports names every form and every limit."""

from pathlib import Path

import pytest

from trivium.export.parity import LIMITS
from trivium.export.run import KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_is_told(kind: str) -> None:
    assert f"| `{kind}` |" in PAGE


@pytest.mark.parametrize("precision", LIMITS)
def test_every_limit_is_told(precision: str) -> None:
    limit = LIMITS[precision]
    assert f"| {precision} | {limit.kl:g} | {limit.top1:.0%} |" in PAGE
