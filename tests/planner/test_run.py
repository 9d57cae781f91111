"""`task=plan` on the command line, and what a run says before and after its training."""

import json
from pathlib import Path

import pytest

from trivium.backends.measure import PEAK, SECONDS
from trivium.planner.run import missed
from trivium.planner.telling import duration, size

PLAN = ("task=plan", "experiment=none", "dataset=micro_archive", "loss=uniform")
SHORT = ("model.build.max_steps=2", "model.build.facts=8", "model.build.vocab_size=300", "method.max_steps=2", "adapter.r=2")
RUN = ("experiment=none", "dataset=micro_archive", "loss=uniform", "evaluation=none", "method.total_batch_size=4", *SHORT)


def written(folder: Path, name: str) -> dict:
    return json.loads(next(folder.glob(f"outputs/*/*/{name}")).read_text(encoding="utf-8"))


def test_a_plan_is_told_and_written_and_nothing_else_is_made(trivium, tmp_path: Path) -> None:
    done = trivium(*PLAN, "model=llama3_1_8b", "hardware=cuda_24gb", "method.max_steps=10", "plan.tokens_per_second=500")
    assert done.returncode == 0, done.stderr
    for word in ("weights", "backward", "together", "8.03 B parameters", "plan: tight", "of training"):
        assert word in done.stdout
    metrics = written(tmp_path, "result.json")["metrics"]
    plan = written(tmp_path, "plan.json")["run"] if "run" in written(tmp_path, "plan.json") else written(tmp_path, "plan.json")
    found = next(iter(plan.values())) if "verdict" not in plan else plan
    assert found["peak_bytes"] == pytest.approx(metrics["plan/memory_gb"] * 1e9)
    assert found["seconds"] == metrics["plan/seconds"] == pytest.approx(10 * 64 * 1024 / 500)
    assert sum(found["phases"][found["peak_phase"]].values()) == pytest.approx(found["peak_bytes"])
    assert not (tmp_path / "data").exists() and not list(tmp_path.rglob("mlflow.db"))


def test_a_strict_gate_ends_with_3_and_a_way_out(trivium, tmp_path: Path) -> None:
    words = (*PLAN, "model=llama3_1_8b", "hardware=cuda_12gb", "adapter=full", "method.max_steps=10")
    assert trivium(*words).returncode == 0
    done = trivium(*words, "plan=strict")
    assert done.returncode == 3
    assert "does not fit" in done.stderr and "plan=warn" in done.stderr
    assert "what would make it fit" in done.stdout


def test_a_run_says_what_it_will_take_and_later_how_wrong_that_was(trivium, tmp_path: Path) -> None:
    first = trivium(*RUN)
    assert first.returncode == 0, first.stderr
    assert "plan: fits" in first.stdout and "no earlier run to reckon by" in first.stdout
    again = trivium(*RUN, "seed=1", "hydra.run.dir=outputs/again/1")
    assert "1 earlier run of this model on this machine" in again.stdout
    metrics = json.loads((tmp_path / "outputs/again/1/result.json").read_text(encoding="utf-8"))["metrics"]
    assert metrics["plan/seconds_error"] == pytest.approx(metrics[SECONDS] / metrics["plan/seconds"] - 1)
    assert "plan/memory_error" not in metrics  # a CPU's resident set is no measure of tensors
    assert "plan:" not in trivium(*RUN, "seed=1", "hydra.run.dir=outputs/again/1", "plan=off").stdout


def test_a_run_that_cannot_fit_is_not_begun(trivium, tmp_path: Path) -> None:
    words = ("model=qwen2_5_0_5b", "model.init=random", "adapter=lora", "hardware.memory_gb=1", "plan=strict", "tracking=none")
    done = trivium(*RUN, *words)
    assert done.returncode == 3 and "does not fit" in done.stderr
    assert not (tmp_path / "data").exists()


def test_errors_are_what_was_measured_over_what_was_said() -> None:
    expected, measured = {"plan/seconds": 10.0, "plan/tensors_gb": 2.0}, {SECONDS: 12.0, PEAK: 1.9}
    assert missed(expected, measured, "cuda") == pytest.approx({"plan/seconds_error": 0.2, "plan/memory_error": -0.05})
    assert missed(expected, measured, "cpu") == pytest.approx({"plan/seconds_error": 0.2})
    assert missed({}, measured, "cuda") == {}


def test_numbers_are_told_in_units_that_suit_them() -> None:
    assert [size(n) for n in (0, 99e6, 0.1e9, 12.34e9)] == ["0.0 MB", "99.0 MB", "0.10 GB", "12.3 GB"]
    assert [duration(s) for s in (119, 120, 3599, 3600, 172_800)] == ["119 s", "2 min", "60 min", "1.0 h", "2.0 days"]
