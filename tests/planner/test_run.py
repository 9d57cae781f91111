"""`task=plan` on the command line, and what a run says before and after its training."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trivium.arms import Arm
from trivium.backends.measure import PEAK, SECONDS
from trivium.errors import GateError
from trivium.pipeline import run
from trivium.planner.run import missed, plan
from trivium.planner.telling import duration, size
from trivium.schema import Config, PlanConfig

WORDS = ("experiment=none", "dataset=micro_archive", "loss=uniform")
SHORT = ("model.build.max_steps=2", "model.build.facts=8", "model.build.vocab_size=300", "method.max_steps=2", "adapter.r=2")


def arms_of(config: Config) -> list[Arm]:
    return [Arm(config.name, config, True)]


def written(out: Path, name: str = "result.json") -> Any:
    return json.loads((out / name).read_text(encoding="utf-8"))


def test_a_plan_is_told_and_written_and_nothing_else_is_made(trivium, tmp_path: Path) -> None:
    words = ("model=llama3_1_8b", "hardware=cuda_24gb", "method.max_steps=10", "plan.tokens_per_second=500")
    done = trivium("task=plan", *WORDS, *words, "hydra.run.dir=out")
    assert done.returncode == 0, done.stderr
    for word in ("weights", "backward", "together", "8.03 B parameters", "plan: tight", "of training"):
        assert word in done.stdout
    metrics, found = written(tmp_path / "out")["metrics"], next(iter(written(tmp_path / "out", "plan.json").values()))
    assert found["peak_bytes"] == pytest.approx(metrics["plan/memory_gb"] * 1e9)
    assert found["seconds"] == metrics["plan/seconds"] == pytest.approx(10 * 64 * 1024 / 500)
    assert sum(found["phases"][found["peak_phase"]].values()) == pytest.approx(found["peak_bytes"])
    assert not (tmp_path / "data").exists() and not list(tmp_path.rglob("mlflow.db"))


def test_a_strict_gate_ends_with_3_and_a_way_out(config_of, tmp_path: Path, capsys) -> None:
    words = ("model=llama3_1_8b", "hardware=cuda_12gb", "adapter=full", "method.max_steps=10")
    config = config_of("task=plan", *WORDS, *words)
    assert plan(config, arms_of(config), tmp_path / "warned").status == "ok"
    strict = config_of("task=plan", *WORDS, *words, "plan=strict")
    with pytest.raises(GateError, match=r"does not fit: .* GB .*plan=warn") as failed:
        plan(strict, arms_of(strict), tmp_path / "strict")
    assert failed.value.exit_code == 3 and written(tmp_path / "strict")["status"] == "gate_failed"
    assert "what would make it fit" in capsys.readouterr().out


def test_the_largest_of_several_arms_is_shown(config_of, tmp_path: Path, capsys) -> None:
    small, large = (config_of("task=plan", *WORDS, "model=qwen2_5_0_5b", f"model.max_length={n}") for n in (256, 2048))
    result = plan(small, [Arm("small", small, True), Arm("large", large, False)], tmp_path)
    assert "large, the largest of 2 arms" in capsys.readouterr().out
    assert result.metrics["arms/large/plan/memory_gb"] > result.metrics["arms/small/plan/memory_gb"]
    assert result.metrics["plan/memory_gb"] == result.metrics["arms/small/plan/memory_gb"]


def test_a_run_says_what_it_will_take_and_later_how_wrong_that_was(config_of, tmp_path: Path, capsys) -> None:
    places = (f"cache_dir={tmp_path}/cache", f"tracking.uri=sqlite:///{tmp_path}/mlflow.db")
    config = config_of(*WORDS, *SHORT, "evaluation=none", "method.total_batch_size=4", *places)
    run(config, arms_of(config), tmp_path / "first", "first")
    told = capsys.readouterr().out
    assert "plan: fits" in told and "no earlier run to reckon by" in told and "at most" not in told
    metrics = run(config, arms_of(config), tmp_path / "second", "second").metrics
    assert "1 earlier run of this model on this machine" in capsys.readouterr().out
    assert metrics["plan/seconds_error"] == pytest.approx(metrics[SECONDS] / metrics["plan/seconds"] - 1)
    assert "plan/memory_error" not in metrics  # a CPU's resident set is no measure of tensors
    again = run(replace(config, plan=PlanConfig(gate="off")), arms_of(config), tmp_path / "second", "third").metrics
    assert "plan:" not in capsys.readouterr().out and "plan/memory_gb" not in again


def test_a_run_that_cannot_fit_is_not_begun(config_of, tmp_path: Path) -> None:
    words = ("model=qwen2_5_0_5b", "model.init=random", "hardware.memory_gb=1", "plan=strict", "tracking=none")
    config = config_of(*WORDS, *words, f"cache_dir={tmp_path}/cache")
    with pytest.raises(GateError, match="does not fit"):
        run(config, arms_of(config), tmp_path / "out", "")
    assert not (tmp_path / "cache").exists()


def test_errors_are_what_was_measured_over_what_was_said() -> None:
    expected, measured = {"plan/seconds": 10.0, "plan/tensors_gb": 2.0}, {SECONDS: 12.0, PEAK: 1.9}
    assert missed(expected, measured, "cuda") == pytest.approx({"plan/seconds_error": 0.2, "plan/memory_error": -0.05})
    assert missed(expected, measured, "cpu") == pytest.approx({"plan/seconds_error": 0.2})
    assert missed({}, measured, "cuda") == {}


def test_numbers_are_told_in_units_that_suit_them() -> None:
    assert [size(n) for n in (0, 99e6, 0.1e9, 12.34e9)] == ["0.0 MB", "99.0 MB", "0.10 GB", "12.3 GB"]
    assert [duration(s) for s in (119, 120, 3599, 3600, 172_800)] == ["119 s", "2 min", "60 min", "1.0 h", "2.0 days"]
