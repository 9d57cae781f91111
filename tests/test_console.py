"""Screens as files, pipes and narrow terminals see them."""

import io

import pytest
from rich.console import Console

from trivium.console import Screen

HEADS = ("arm", "consistency of style", "perplexity")
ROW = ("persona", "0.97\n[0.92, 1.00]", "103.9\n[101.5, 107.9]")


def test_a_pipe_has_no_width_so_nothing_is_folded(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    Screen().table("table", ("what", "value"), [("a", " ".join(["word"] * 25))], left=True)
    assert " ".join(["word"] * 25) in capsys.readouterr().out


def test_a_narrow_terminal_never_cuts_a_heading_within_a_word() -> None:
    out = io.StringIO()
    Screen(Console(file=out, width=34)).table("table", HEADS, [ROW] * 3)
    for word in ("consistency", "perplexity"):
        assert word in out.getvalue()


def test_columns_of_the_environment_are_obeyed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    Screen().table("table", ("what", "value"), [("a", " ".join(["word"] * 25))], left=True)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 50


def test_the_live_bar_shows_loss_and_peak_memory() -> None:
    out = io.StringIO()
    with Screen(Console(file=out, width=120, force_terminal=True)).bar("training") as update:
        update(1, 2, {"loss": 1.25, "system/peak_memory_gb": 3.5, "nll": 1.0})
    assert "loss 1.2500, peak memory 3.50 GB" in out.getvalue()
