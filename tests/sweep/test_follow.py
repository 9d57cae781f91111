"""What a search shows while it lasts."""

from pathlib import Path
from typing import Any

from trivium.console import Screen
from trivium.schema import SweepConfig
from trivium.sweep.follow import Follow
from trivium.sweep.outcome import Outcome
from trivium.sweep.spec import Spec
from trivium.sweep.study import Search


class Said(Screen):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def test_every_ended_trial_is_one_line_once(tmp_path: Path, bench: Any) -> None:
    sweep = SweepConfig(name="alpha", params={"loss.alpha": "interval(0, 8)"}, storage="journal", n_trials=4)
    search = Search(Spec("alpha", "none", tmp_path / "study", [], None, sweep, {}), None)
    with search.worker() as me:
        bench.end(search, search.claim(me), 0.125)
    screen, moved = Said(), list[tuple[int, int]]()
    follow = Follow(search, screen, lambda done, total: moved.append((done, total)))
    follow()
    assert screen.lines == []
    with search.worker() as me:
        bench.end(search, search.claim(me), 0.5)
        bench.end(search, search.claim(me), 0.75)
        search.settle(search.claim(me), Outcome("failed", reason="it broke"), 2.0)
        search.settle(search.claim(me), Outcome("pruned"), 3.0)
    follow()
    follow()
    worse, better, failed, pruned = screen.lines
    assert worse.startswith("✓  t001 alpha=") and "best so far" not in worse
    assert better.startswith("✓  t002 alpha=") and "source_preference 0.75 " in better and better.endswith("best so far")
    assert failed.startswith("✗  t003 alpha=") and "it broke" in failed and failed.endswith("2.0 s")
    assert pruned.startswith("–  t004 alpha=") and "pruned after 0 steps" in pruned
    assert moved[-1] == (4, 4)


def test_a_dead_trial_is_said_to_be_queued_again(tmp_path: Path) -> None:
    sweep = SweepConfig(name="alpha", params={"loss.alpha": "interval(0, 8)"}, storage="journal", n_trials=2)
    search = Search(Spec("alpha", "none", tmp_path / "study", [], None, sweep, {}), None)
    screen = Said()
    follow = Follow(search, screen, lambda done, total: None)
    for _ in range(2):
        with search.worker() as me:
            search.claim(me)
    follow()
    (line,) = screen.lines
    assert "ended with its process; its point is queued again" in line
