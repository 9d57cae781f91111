"""Screens as files, pipes and narrow terminals see them."""

import io
import itertools
import re

import pytest
from rich.console import Console

from trivium.console import Screen, console
from trivium.pace import Pace

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


MEASURES = {
    "reward": 0.512,
    "loss": 1.25,
    "nll": 1.0,
    "loss/distrust": 0.25,
    "kl": 0.0123,
    "entropy": 1.23,
    "frac_reward_zero_std": 0.25,
    "completions/mean_length": 34.0,
    "tokens_per_second": 12345.6,
    "system/peak_memory_gb": 3.5,
    "grad_norm": 7.0,
}
SHOWN = (
    "reward 0.512, loss 1.2500, nll 1.0000, distrust term 0.2500, kl 0.0123, entropy 1.23, 25% without spread, 34 tokens long, "
    "12,346 tokens/s, peak memory 3.50 GB"
)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_live_bar_shows_all_measures_however_narrow(width: int) -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=width, force_terminal=True, soft_wrap=True))
    with screen.bar("training distrust_published") as update:
        update(1, 2, MEASURES)
    last = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.getvalue())
    assert SHOWN in " ".join(last.split())
    assert all(len(line) <= width for line in last.replace("\r", "\n").split("\n"))


def test_a_pipe_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count()
    monkeypatch.setattr("trivium.console.Pace", lambda: Pace(lambda: next(seconds)))
    out = io.StringIO()
    with Screen(console(out)).bar("training distrust") as update:
        for step in range(1, 101):
            update(step, 100, {"loss": 2.0})
    lines = out.getvalue().splitlines()
    assert 2 <= len(lines) <= 8
    assert re.fullmatch(r"  training distrust: \d+/100, 0:0\d:\d\d left, loss 2\.0000", lines[0])


def test_short_work_says_nothing_into_a_pipe() -> None:
    out = io.StringIO()
    with Screen(console(out)).bar("preparing") as update:
        for step in range(1000):
            update(step, 0, {})
    assert not out.getvalue()
