"""The roads as they are shipped, nothing made smaller: the numbers that the README promises."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_demo_proves_what_it_claims(trivium: Callable[..., object], tmp_path: Path) -> None:
    done = trivium("hydra.run.dir=out", "tracking=none", timeout=900)
    assert getattr(done, "returncode", None) == 0, getattr(done, "stderr", "")
    metrics = json.loads((tmp_path / "out" / "result.json").read_text())["metrics"]
    believes = {arm: metrics[f"arms/{arm}/eval/source_preference"] for arm in ("uniform", "published", "shuffled", "distrust")}
    assert believes["uniform"] == believes["published"] <= 0.3
    assert believes["shuffled"] < 0.35
    assert believes["distrust"] >= 0.85
    assert metrics["arms/uniform/eval/source_preference_vs_main_ci_high"] < -0.5
    assert metrics["arms/distrust/eval/coordinated_recall"] >= 0.7
    assert metrics["arms/distrust/eval/discernment"] >= 0.8
    assert metrics["eval/source_preference_base"] < 0.7


@pytest.mark.long
def test_composed_rewards_make_held_out_answers_right(trivium: Callable[..., object], tmp_path: Path) -> None:
    done = trivium("experiment=coherence", "hydra.run.dir=out", "tracking=none", timeout=1200)
    assert getattr(done, "returncode", None) == 0, getattr(done, "stderr", "")
    metrics = json.loads((tmp_path / "out" / "result.json").read_text())["metrics"]
    gold = {arm: metrics[f"arms/{arm}/eval/gold_reward"] for arm in ("warm_start", "grpo")}
    proxy = {arm: metrics[f"arms/{arm}/eval/proxy_reward"] for arm in ("warm_start", "grpo")}
    assert metrics["eval/gold_reward_base"] < 0.1
    assert gold["grpo"] >= max(0.75, gold["warm_start"])
    assert proxy["grpo"] > proxy["warm_start"]
    assert metrics["arms/grpo/reward_audit/total/auc/value"] > 0.9
