"""The adapter's export is the adapter, names its base, and tells nothing of this machine."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from tests.export.forms import certificates, job_of, make, said, tuned

from trivium.errors import ConfigError
from trivium.models.load import ADAPTER_DIR
from trivium.schema import Config

ConfigOf = Callable[..., Config]
SETTINGS = ("arms=null", "export=adapter", "export.parity.prompts=3", "export.parity.max_new_tokens=8")


def test_it_answers_exactly_as_the_run_did(config_of: ConfigOf, tmp_path: Path) -> None:
    base, run = tuned("qwen2", tmp_path)
    job = job_of(config_of(*SETTINGS), base, run)
    folder = make(job, "adapter", {})
    weights = "adapter_model.safetensors"
    assert (folder / weights).read_bytes() == (run / ADAPTER_DIR / weights).read_bytes()
    found = certificates(job, "adapter", {"adapter": folder})["adapter"]
    assert found.passed and found.precision == "exact" and found.kl == 0, found.reasons


def test_a_spoilt_one_is_found_out(config_of: ConfigOf, tmp_path: Path) -> None:
    base, run = tuned("llama_tied", tmp_path)
    job = job_of(config_of(*SETTINGS), base, run)
    folder = make(job, "adapter", {})
    tensors = load_file(folder / "adapter_model.safetensors")
    next(iter(tensors.values())).mul_(1.01)
    save_file(tensors, folder / "adapter_model.safetensors")
    assert not certificates(job, "adapter", {"adapter": folder})["adapter"].passed


def test_it_names_its_base_without_a_path_of_this_machine(config_of: ConfigOf, tmp_path: Path) -> None:
    base, run = tuned("llama_tied", tmp_path)
    (run / ADAPTER_DIR / "manifest.json").write_text("{}")
    (run / ADAPTER_DIR / "README.md").write_text(f"base_model: {base}")
    job = job_of(config_of(*SETTINGS), base, run)
    folder = make(job, "adapter", {})
    assert {path.name for path in folder.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == "base"
    assert not [path for path in folder.iterdir() if str(tmp_path).encode() in path.read_bytes()]


def test_a_base_on_the_hub_is_named_by_its_id(config_of: ConfigOf, tmp_path: Path) -> None:
    base, run = tuned("llama_tied", tmp_path)
    job = replace(job_of(config_of(*SETTINGS), base, run), base="someone/small")
    folder = make(job, "adapter", {})
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == "someone/small"


def test_a_base_that_only_this_run_has_is_told(config_of: ConfigOf, tmp_path: Path) -> None:
    base, run = tuned("llama_tied", tmp_path)
    job = job_of(config_of(*SETTINGS), base, run)
    make(job, "adapter", {})
    assert said(job) == ""
    later = replace(job, config=replace(job.config, starts_from="period"), folder=tmp_path / "later")
    make(later, "adapter", {})
    assert "belongs to the merged weights of the stage period" in said(later) and "export=merged" in said(later)


def test_a_run_that_trained_every_weight_has_none(config_of: ConfigOf, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"export=\[adapter\] exports an adapter, and adapter=full has none"):
        config_of(*SETTINGS, "adapter=full")
    (tmp_path / "run" / "model").mkdir(parents=True)  # as if someone had taken the adapter's folder away
    job = job_of(config_of(*SETTINGS), tmp_path, tmp_path / "run")
    with pytest.raises(ConfigError, match=r"export=adapter: this run trained every weight .* take export=merged"):
        make(job, "adapter", {})
