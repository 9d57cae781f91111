"""The MLX directories answer as the reference did, and the adapter survives the way there and back to the last bit."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tests.export import shapes
from tests.export.forms import certificates, job_of, make, tuned

from trivium.errors import ConfigError, ModelError
from trivium.export.job import Job
from trivium.models import mlx
from trivium.models.load import ADAPTER_DIR
from trivium.schema import Config

ConfigOf = Callable[..., Config]
SETTINGS = ("arms=null", "export=mlx", "export.mlx.bits=[8,4]", "export.parity.prompts=3", "export.parity.max_new_tokens=8")
FORMS = {"mlx/plain": "f32", "mlx/8bit": "mlx_8bit", "mlx/4bit": "mlx_4bit", "mlx/adapter": "f32"}

pytestmark = pytest.mark.skipif(not mlx.installed(), reason="MLX is not installed (pip install 'trivium[mlx]')")


@pytest.fixture(autouse=True)
def _not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cold compilation takes longer than all that is compiled."""
    monkeypatch.setenv("MLX_DISABLE_COMPILE", "1")


def exported(config: Config, shape: str, folder: Path, hidden: int = 64) -> tuple[Job, dict[str, Path]]:
    base, run = tuned(shape, folder, hidden)
    job = job_of(config, base, run)
    made = {"merged": make(job, "merged", {})}
    return job, {**made, "mlx": make(job, "mlx", made)}


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_every_directory_answers_as_the_reference(config_of: ConfigOf, tmp_path: Path, shape: str) -> None:
    job, made = exported(config_of(*SETTINGS), shape, tmp_path)
    found = certificates(job, "mlx", made)
    assert {name: one.precision for name, one in found.items()} == FORMS
    for exact in ("mlx/plain", "mlx/adapter"):
        assert found[exact].passed and found[exact].kl < 1e-6 and found[exact].answers == 1, found[exact].reasons
    assert all(one.templates == one.tokens == one.stops == 1 for one in found.values())
    # Of random weights, whose likeliest tokens are nearly as likely as the next, 4 bits leave little more than the order.
    assert found["mlx/plain"].kl < found["mlx/8bit"].kl < 0.01 < found["mlx/4bit"].kl < 1


def test_each_form_is_held_to_its_own_type(config_of: ConfigOf, tmp_path: Path) -> None:
    config = config_of("arms=null", "export=mlx", "export.merged.dtype=bfloat16", "export.parity.prompts=2")
    job, made = exported(config, "qwen3", tmp_path)
    found = certificates(job, "mlx", made)
    assert {name: one.precision for name, one in found.items()} == {"mlx/plain": "bf16", "mlx/adapter": "f32"}
    assert found["mlx/adapter"].kl < 1e-6 < found["mlx/plain"].kl < 0.01


def test_a_forgotten_base_frequency_is_found_out(config_of: ConfigOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, made = exported(config_of(*SETTINGS), "llama_tied", tmp_path)
    monkeypatch.setattr(mlx, "rope_keys", lambda _: {})
    assert certificates(job, "mlx", made)["mlx/plain"].passed, "the exported settings hold it"
    for name in ("plain", "8bit"):
        config = json.loads((made["mlx"] / name / "config.json").read_text())
        del config["rope_theta"]
        (made["mlx"] / name / "config.json").write_text(json.dumps(config))
    found = certificates(job, "mlx", made)
    assert not found["mlx/plain"].passed and not found["mlx/8bit"].passed


def test_the_adapter_comes_back_to_the_last_bit(config_of: ConfigOf, tmp_path: Path) -> None:
    job, made = exported(config_of("arms=null", "export=mlx"), "qwen2", tmp_path)
    before = load_file(job.run / ADAPTER_DIR / "adapter_model.safetensors")
    after = mlx.to_peft(load_file(made["mlx"] / "adapter" / "adapters.safetensors"))
    assert after.keys() == before.keys() and len(before) == 28
    assert all(np.array_equal(after[name], tensor) and tensor.any() for name, tensor in before.items())


@pytest.mark.slow
def test_mlx_lm_generates_with_what_was_exported(config_of: ConfigOf, tmp_path: Path) -> None:
    """Its own command line: the merged model, and the base with the adapter, say the same, and the base does not."""
    job, made = exported(config_of("arms=null", "export=mlx"), "llama_untied", tmp_path)
    base = made["mlx"].parent / "base"
    mlx.library("convert").convert(str(_with_rope(Path(job.base))), str(base))
    whole = _generate(made["mlx"] / "plain")
    assert whole and whole == _generate(base, "--adapter-path", str(made["mlx"] / "adapter"))
    assert whole != _generate(base)


def _with_rope(base: Path) -> Path:
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, **mlx.rope_keys(config)}))
    return base


def _generate(model: Path, *more: str) -> str:
    command = [sys.executable, "-m", "mlx_lm", "generate", "--model", str(model), "--prompt", "Who wrote it?", "-m", "6", *more]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, "MLX_DISABLE_COMPILE": "1"})
    assert run.returncode == 0, run.stderr
    return run.stdout.split("==========")[1]


def test_nothing_of_this_machine_is_told(config_of: ConfigOf, tmp_path: Path) -> None:
    _, made = exported(config_of(*SETTINGS), "qwen3", tmp_path)
    files = [path for path in made["mlx"].rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == {"plain", "8bit", "4bit", "adapter"}
    assert not [path for path in files if str(tmp_path).encode() in path.read_bytes()]


@pytest.mark.parametrize(("hidden", "size", "way"), [(64, 128, "group_size=64"), (64, 64, None)])
def test_a_width_that_is_not_divisible_is_told(
    config_of: ConfigOf, tmp_path: Path, hidden: int, size: int, way: str | None
) -> None:
    config = config_of(*SETTINGS, f"export.mlx.group_size={size}")
    if way is None:
        exported(config, "qwen2", tmp_path, hidden)
        return
    with pytest.raises(ConfigError, match=rf"export\.mlx\.group_size={size} does not divide the width {hidden} .*{way}"):
        exported(config, "qwen2", tmp_path, hidden)


def test_a_width_of_no_group_leaves_the_plain_copy(config_of: ConfigOf, tmp_path: Path, random_model: Path) -> None:
    shapes.tune(random_model, tmp_path / "run")
    job = job_of(config_of(*SETTINGS), random_model, tmp_path / "run")
    made = {"merged": make(job, "merged", {})}
    with pytest.raises(ConfigError, match=r"does not divide the width 32 .* export\.mlx\.bits=\[\]"):
        make(job, "mlx", made)
    plain = config_of("arms=null", "export=mlx", "export.parity.prompts=2", "export.parity.max_new_tokens=4")
    job = replace(job, config=plain, folder=tmp_path / "plain")
    made = {"merged": make(job, "merged", {})}
    found = certificates(job, "mlx", {**made, "mlx": make(job, "mlx", made)})
    assert set(found) == {"mlx/plain", "mlx/adapter"} and all(one.passed for one in found.values())


def test_without_mlx_the_way_out_is_told(config_of: ConfigOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlx.core", None)
    job = job_of(config_of(*SETTINGS), tmp_path, tmp_path)
    with pytest.raises(ConfigError, match=r"pip install 'trivium\[mlx\]'"):
        make(job, "mlx", {"merged": tmp_path})


def test_an_unknown_architecture_is_one_sentence(config_of: ConfigOf, tmp_path: Path) -> None:
    base, run = tuned("qwen2", tmp_path)
    job = job_of(config_of("arms=null", "export=mlx"), base, run)
    made = {"merged": make(job, "merged", {})}
    config = json.loads((made["merged"] / "config.json").read_text())
    (made["merged"] / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    with pytest.raises(ModelError, match=r"MLX-LM could not convert the merged model .* leave export=mlx out") as raised:
        make(job, "mlx", made)
    assert "\n" not in str(raised.value)
