"""What a run says of its rewards: the audit's verdict, the prompts met, and a proxy that left its gold reward behind."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from trivium.console import Screen
from trivium.errors import GateError
from trivium.rewards import telling
from trivium.tracking import JsonlTracker


class Shown(Screen):
    """A screen that can be read."""

    def __init__(self) -> None:
        super().__init__(Console(file=io.StringIO(), width=500, soft_wrap=True))

    @property
    def text(self) -> str:
        return str(self.console.file.getvalue())  # type: ignore[attr-defined]


def changes(proxy: tuple[float, float, float, float], reward: tuple[float, float, float, float]) -> dict[str, float]:
    names = ("first", "last", "delta_ci_low", "delta_ci_high")
    both = {"proxy": proxy, "reward": reward}
    return {f"gold/{which}_{name}": value for which, row in both.items() for name, value in zip(names, row, strict=True)}


def told(metrics: Mapping[str, float], tmp_path: Path) -> tuple[str, list[dict[str, Any]]]:
    screen, tracker = Shown(), JsonlTracker(tmp_path)
    telling.tell_divergence(metrics, tracker, screen)
    tracker.finish("ok")
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    return screen.text, [line for line in lines if "tag" in line]


def test_a_divergence_is_a_named_warning_with_the_numbers_and_a_tag(tmp_path: Path) -> None:
    metrics = changes((0.1, 0.75, 0.5, 0.8), (0.4, 0.41, -0.1, 0.12)) | {"gold/divergence": 1.0}
    text, tags = told(metrics, tmp_path)
    assert text.startswith("warning: proxy_gold_divergence")
    for number in ("0.10 to 0.75", "+0.50 to +0.80", "0.40 to 0.41", "-0.10 to +0.12"):
        assert number in text
    assert [(line["tag"], line["value"]) for line in tags] == [(telling.DIVERGENCE, "true")]


@pytest.mark.parametrize("metrics", [{}, changes((0, 1, 0.5, 1), (0, 1, 0.5, 1)) | {"gold/divergence": 0.0}])
def test_no_divergence_is_silent(tmp_path: Path, metrics: dict[str, float]) -> None:
    assert told(metrics, tmp_path) == ("", [])


def test_how_many_distinct_prompts_were_met_is_said() -> None:
    screen = Shown()
    telling.tell_prompts({"train/prompts_seen": 32.0, "train/prompts_share": 0.25}, screen)
    assert "32 distinct prompts" in screen.text and "25%" in screen.text
    silent = Shown()
    telling.tell_prompts({"train/steps": 3.0}, silent)
    assert silent.text == ""


REPORT: dict[str, Any] = {
    "reward": "mine",
    "genuine_median": 1.0,
    "families": {"word_soup": {"median": 2.5, "told_by": None}, "padding": {"median": 0.1, "told_by": None}},
    "terms": {"format": {"auc": {"value": 0.75, "low": 0.7, "high": 0.8}, "low": 0.0, "violations": 0.25, "note": "text"}},
    "search": None,
    "failed": ["word_soup"],
}


def test_a_paid_attack_ends_a_strict_run_and_warns_otherwise() -> None:
    screen = Shown()
    with pytest.raises(GateError, match="word_soup"):
        telling.judge_audit("strict", "mine", REPORT, screen)
    assert screen.text == ""
    telling.judge_audit("warn", "mine", REPORT, screen)
    assert screen.text.startswith("warning: reward=mine") and "word_soup" in screen.text


@pytest.mark.parametrize("mode", ["strict", "warn"])
def test_a_set_that_pays_no_attack_is_no_news(mode: str) -> None:
    screen = Shown()
    telling.judge_audit(mode, "mine", REPORT | {"failed": []}, screen)
    assert screen.text == ""


def test_the_numbers_of_an_audit_are_flat_metrics() -> None:
    found = telling.audit_metrics(REPORT)
    assert found["reward_audit/format/auc/value"] == 0.75
    assert found["reward_audit/word_soup/median"] == 2.5
    assert all(isinstance(value, float) for value in found.values())
    assert not any("note" in name for name in found)
