import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., "subprocess.CompletedProcess[str]"]


def test_help_names_every_group_and_imports_nothing_heavy() -> None:
    program = "import sys; from trivium.cli import main; main(['--help']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for word in ("loss", "distrust_published", "exit codes", "--cfg"):
        assert word in done.stdout
    for module in ("hydra", "omegaconf", "yaml", "torch", "numpy", "dataclasses"):
        assert f"'{module}'" not in done.stdout


def test_composing_and_checking_imports_only_hydra() -> None:
    program = (
        "import sys; from trivium.compose import hydra_at; from trivium.overrides import checked;"
        "import trivium.app, trivium.pipeline\n"
        "with hydra_at(): checked([])\nprint(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for module in ("torch", "numpy", "transformers", "trl", "peft", "datasets", "mlflow", "pyarrow"):
        assert f"'{module}'" not in done.stdout


@pytest.mark.parametrize("override", ["loss.alhpa=2", "+loss.alhpa=2"])
def test_a_typo_exits_2_with_the_spelling_and_leaves_nothing(trivium: Call, tmp_path: Path, override: str) -> None:
    done = trivium(override)
    assert done.returncode == 2
    assert "alpha" in done.stderr.replace("alhpa", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", [("-m", "loss.alpha=1,-2"), ("-m", "loss=distrust,unifrom"), ("loss.alpha=1,2",), ("-m", "--cfg", "job")]
)
def test_a_wrong_sweep_exits_2_before_its_first_run(trivium: Call, tmp_path: Path, words: tuple[str, ...]) -> None:
    done = trivium(*words)
    assert done.returncode == 2
    assert "-m" in done.stderr or "-2" in done.stderr or "uniform" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_goes_on_after_a_run_that_fails_and_exits_with_its_code(trivium: Call, tmp_path: Path) -> None:
    words = (
        "-m",
        "dataset.gate=strict",
        "dataset.targets.min_samples=100000,20",
        "stages=[prepare]",
        "tracking=none",
        "arms=null",
    )
    done = trivium(*words, "hydra.sweep.dir=sweep")
    assert done.returncode == 3, done.stderr
    assert "sweep/0: data gate" in done.stderr
    status = [json.loads((tmp_path / "sweep" / job / "result.json").read_text())["status"] for job in "01"]
    assert status == ["gate_failed", "ok"]


@pytest.mark.parametrize("word", ["distrust", "loss.alpha=[1", "--config-dir=nowhere", "hydra.run.dri=x"])
def test_bad_usage_exits_2(trivium: Call, word: str) -> None:
    done = trivium(word)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_cfg_job_prints_the_configuration(trivium: Call, tmp_path: Path) -> None:
    done = trivium("--cfg", "job", "loss.alpha=1.5")
    assert done.returncode == 0
    assert "alpha: 1.5" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_own_options_come_from_a_config_dir(trivium: Call, tmp_path: Path) -> None:
    (tmp_path / "mine" / "loss").mkdir(parents=True)
    (tmp_path / "mine" / "loss" / "gentle.yaml").write_text("defaults: [schema_distrust, _self_]\nalpha: 0.3\n")
    done = trivium("--config-dir", "mine", "--cfg", "job", "loss=gentle")
    assert "alpha: 0.3" in done.stdout, done.stderr


def test_ones_own_option_is_run_and_one_of_the_wrong_shape_is_a_sentence(trivium: Call, tmp_path: Path) -> None:
    for group, name, text in (
        ("loss", "gentle", "defaults: [schema_distrust, _self_]\nalpha: 0.3\n"),
        ("reward", "listed", "defaults: [schema, _self_]\nterms:\n  - fn: answer.f1\n"),
    ):
        (tmp_path / "conf" / group).mkdir(parents=True)
        (tmp_path / "conf" / group / f"{name}.yaml").write_text(text)
    small = ("--config-dir", "conf", "stages=[prepare]", "tracking=none", "dataset.world.disputed=4")
    done = trivium(*small, "loss=gentle", "hydra.run.dir=out")
    assert done.returncode == 0, done.stderr
    assert "alpha: 0.3" in (tmp_path / "out" / "config.resolved.yaml").read_text()
    refused = trivium(*small, "reward=listed", "hydra.run.dir=other")
    assert refused.returncode == 2
    assert refused.stderr.count("trivium:") == 1 and "reward=listed: the option file does not fit" in refused.stderr
