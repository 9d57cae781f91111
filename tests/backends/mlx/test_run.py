"""Runs and searches on MLX by their command."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
MEASURED = {"system/peak_memory_gb", "train/loss", "eval_nll", "eval/source_preference", "eval/source_preference_delta"}


@pytest.mark.slow
def test_a_run_and_a_search_as_on_pytorch(trivium: Run, tmp_path: Path, fast: list[str]) -> None:
    words = [*(word for word in fast if not word.startswith("sweep.")), "backend=mlx", "arms=null", "hydra.run.dir=run"]
    done = trivium(*words)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "run/result.json").read_text(encoding="utf-8"))
    assert found["status"] == "ok" and found["metrics"].keys() >= MEASURED
    assert (tmp_path / "run/adapter/adapter_model.safetensors").is_file()
    searched = trivium("-m", "sweep=alpha", *fast, "backend=mlx", "sweep.n_trials=2", "hydra.sweep.dir=study")
    assert searched.returncode == 0, searched.stderr
    assert searched.stdout.count("✓  t00") == 2
