"""Merged weights say what base and adapter said, and are an ordinary model directory that needs neither."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from trivium.errors import ModelError
from trivium.models.adapters import attach
from trivium.models.load import ADAPTER_DIR, MODEL_DIR, load_base, load_tokenizer, load_tuned
from trivium.models.merge import merge
from trivium.schema import HardwareConfig, LoraAdapter, ModelConfig

TOLERANCE = {"float32": 1e-5, "bfloat16": 0.1}
"""Largest difference of logits between -1 and 1; bfloat16 rounds the sum of weights, and every step after it, to two digits."""
WORDS = "the mass of the comet is 512 grams"


def trained(base: Path, run: Path) -> Path:
    """A run's folder whose adapter is not zero."""
    model = attach(load_base(ModelConfig(), HardwareConfig(), str(base)), LoraAdapter(r=4), seed=0)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name:
                weight.copy_(torch.randn_like(weight) * 0.3)
    model.save_pretrained(run / ADAPTER_DIR)
    return run


def logits(model: Any, base: Path) -> torch.Tensor:
    ids = load_tokenizer(ModelConfig(), str(base))(WORDS, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        found: torch.Tensor = model(ids).logits.float()
    return found


@pytest.mark.parametrize("dtype", sorted(TOLERANCE))
def test_merged_logits_are_those_of_base_and_adapter(random_model: Path, tmp_path: Path, dtype: str) -> None:
    hardware, run, out = HardwareConfig(dtype=dtype), trained(random_model, tmp_path / "run"), tmp_path / "merged"
    merge(ModelConfig(), hardware, str(random_model), run, out)
    base = logits(load_base(ModelConfig(), hardware, str(random_model)), random_model)
    tuned = logits(load_tuned(ModelConfig(), hardware, str(random_model), run), random_model)
    merged = load_base(ModelConfig(), hardware, str(out))
    assert merged.dtype == getattr(torch, dtype)
    assert (logits(merged, out) - tuned).abs().max() <= TOLERANCE[dtype]
    assert (tuned - base).abs().max() > 0.2, "the adapter changes something"


def test_the_folder_is_an_ordinary_model_directory(random_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "merged"
    merge(ModelConfig(), HardwareConfig(), str(random_model), trained(random_model, tmp_path / "run"), out)
    assert not list(out.glob("adapter*")) and list(out.glob("*.safetensors"))
    model = AutoModelForCausalLM.from_pretrained(out)
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert tokenizer.chat_template and tokenizer.pad_token
    assert not any("lora" in name for name, _ in model.named_parameters())
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Which?"}], add_generation_prompt=True, return_tensors="pt"
    )
    ids = asked if isinstance(asked, torch.Tensor) else asked["input_ids"]
    assert model.generate(ids, max_new_tokens=3, do_sample=False).shape[1] > ids.shape[1]


def test_the_base_is_left_as_it_was(random_model: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in random_model.iterdir()}
    merge(ModelConfig(), HardwareConfig(), str(random_model), trained(random_model, tmp_path / "run"), tmp_path / "merged")
    assert {path.name: path.read_bytes() for path in random_model.iterdir()} == before


def test_every_weight_of_a_whole_model_is_taken_over(random_model: Path, tmp_path: Path) -> None:
    model = load_base(ModelConfig(), HardwareConfig(), str(random_model))
    with torch.no_grad():
        model.model.norm.weight.mul_(2)
    model.save_pretrained(tmp_path / "run" / MODEL_DIR)
    merge(ModelConfig(), HardwareConfig(), str(random_model), tmp_path / "run", tmp_path / "merged")
    merged = load_base(ModelConfig(), HardwareConfig(), str(tmp_path / "merged"))
    assert torch.equal(logits(merged, random_model), logits(model, random_model))


def test_tied_weights_stay_tied(random_model: Path, tmp_path: Path) -> None:
    merge(ModelConfig(), HardwareConfig(), str(random_model), trained(random_model, tmp_path / "run"), tmp_path / "merged")
    assert json.loads((tmp_path / "merged" / "config.json").read_text())["tie_word_embeddings"]
    model = load_base(ModelConfig(), HardwareConfig(), str(tmp_path / "merged"))
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()


def test_an_own_chat_template_goes_along(random_model: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.jinja"
    own.write_text("{% for m in messages %}{{ m['content'] }}!{% endfor %}")
    run = trained(random_model, tmp_path / "run")
    merge(ModelConfig(chat_template=str(own)), HardwareConfig(), str(random_model), run, tmp_path / "merged")
    assert AutoTokenizer.from_pretrained(tmp_path / "merged").chat_template == own.read_text()


def test_a_run_without_a_finished_training_is_one_sentence(random_model: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(ModelError, match="neither model/ nor adapter/ of a finished training; train first"):
        merge(ModelConfig(), HardwareConfig(), str(random_model), tmp_path / "run", tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
