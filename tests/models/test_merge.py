"""Merged weights say what base and adapter said, and are an ordinary model directory that needs neither."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PretrainedConfig

from trivium.errors import ModelError
from trivium.models.adapters import attach
from trivium.models.load import ADAPTER_DIR, MODEL_DIR, load_base, load_tokenizer, load_tuned
from trivium.models.merge import fold, merge, model_folder
from trivium.schema import HardwareConfig, LoraAdapter, ModelConfig

TOLERANCE = {"float32": 1e-5, "bfloat16": 0.1}
"""Largest difference of logits between -1 and 1; bfloat16 rounds the sum of weights, and every step after it, to two digits."""
WORDS = "the mass of the comet is 512 grams"


def trained(base: Path, run: Path, adapter: LoraAdapter | None = None) -> Path:
    """A run's folder whose adapter is not zero."""
    model = attach(load_base(ModelConfig(), HardwareConfig(), str(base)), adapter or LoraAdapter(r=4), seed=0)
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


# --- what PEFT would have made --------------------------------------------------------------------------------------

SHAPE = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 384}
KINDS = {
    "untied": AutoConfig.for_model("llama", tie_word_embeddings=False, **SHAPE),
    "grouped": AutoConfig.for_model("qwen2", tie_word_embeddings=True, num_key_value_heads=2, **SHAPE),
    "normed": AutoConfig.for_model("qwen3", tie_word_embeddings=True, num_key_value_heads=2, head_dim=16, **SHAPE),
    "fused": AutoConfig.for_model("phi3", tie_word_embeddings=False, pad_token_id=0, **SHAPE),
    "transposed": AutoConfig.for_model("gpt2", n_embd=32, n_layer=2, n_head=4, vocab_size=384, bos_token_id=0, eos_token_id=1),
}


def base_of(config: PretrainedConfig, random_model: Path, folder: Path, dtype: str = "float32", shard: str = "50GB") -> Path:
    """An untrained model of a shape, with the tokenizer of `random_model`."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).to(getattr(torch, dtype))
    model.save_pretrained(folder, max_shard_size=shard)
    AutoTokenizer.from_pretrained(random_model).save_pretrained(folder)
    return folder


def merged_by_peft(base: Path, run: Path, dtype: str) -> dict[str, torch.Tensor]:
    tuned = load_tuned(ModelConfig(), HardwareConfig(dtype=dtype), str(base), run)
    found: dict[str, torch.Tensor] = tuned.merge_and_unload(safe_merge=True).state_dict()
    return found


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for path in folder.glob("*.safetensors") for name, tensor in load_file(path).items()}


@pytest.mark.parametrize("rslora", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_weights_are_those_that_peft_merges(random_model: Path, tmp_path: Path, kind: str, dtype: str, rslora: bool) -> None:
    base = base_of(KINDS[kind], random_model, tmp_path / "base", dtype)
    run = trained(base, tmp_path / "run", LoraAdapter(r=4, use_rslora=rslora))
    assert fold(ModelConfig(), str(base), run, tmp_path / "merged") == dtype
    wanted, before, found = merged_by_peft(base, run, dtype), weights(base), weights(tmp_path / "merged")
    assert found.keys() == before.keys()
    changed = 0
    for name, tensor in found.items():
        whole = next(other for other in (name, f"transformer.{name}") if other in wanted)
        changed += not torch.equal(tensor, before[name])
        # PEFT rounds the update to bfloat16 before it adds it; here the sum alone is rounded.
        wide = {"rtol": 1e-6, "atol": 1e-6} if dtype == "float32" else {"rtol": 2**-7, "atol": 2**-8}
        torch.testing.assert_close(tensor, wanted[whole], **wide)
    assert changed >= 8, "adapters on every layer"


def test_several_files_stay_several(random_model: Path, tmp_path: Path) -> None:
    base = base_of(KINDS["untied"], random_model, tmp_path / "base", shard="60KB")
    assert len(list(base.glob("*.safetensors"))) > 2
    run = trained(base, tmp_path / "run")
    merge(ModelConfig(), HardwareConfig(dtype="bfloat16"), str(base), run, tmp_path / "merged")
    names = {path.name for path in base.iterdir()}
    assert {path.name for path in (tmp_path / "merged").iterdir()} == names
    total = json.loads((tmp_path / "merged" / "model.safetensors.index.json").read_text())["metadata"]["total_size"]
    assert total == sum(tensor.nbytes for tensor in weights(tmp_path / "merged").values())
    tuned = logits(load_tuned(ModelConfig(), HardwareConfig(), str(base), run), base)
    merged = logits(load_base(ModelConfig(), HardwareConfig(), str(tmp_path / "merged")), base)
    assert (merged - tuned).abs().max() < 0.1


def test_a_model_saved_without_its_head_is_merged_too(random_model: Path, tmp_path: Path) -> None:
    """Old GPT-2 files lack the first word of every name."""
    base = base_of(KINDS["transposed"], random_model, tmp_path / "base")
    run = trained(base, tmp_path / "run")
    fold(ModelConfig(), str(base), run, tmp_path / "merged")
    bare = {name.removeprefix("transformer."): tensor for name, tensor in weights(base).items()}
    save_file(bare, base / "model.safetensors", {"format": "pt"})
    fold(ModelConfig(), str(base), run, tmp_path / "bare")
    found = weights(tmp_path / "bare")
    assert {name.removeprefix("transformer."): t.sum() for name, t in weights(tmp_path / "merged").items()} == {
        name: tensor.sum() for name, tensor in found.items()
    }


def test_a_hub_id_is_taken_from_the_cache(random_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    commit = "0123456789abcdef0123456789abcdef01234567"
    repo = tmp_path / "hub" / "models--someone--small"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(commit)
    (repo / "snapshots").mkdir()
    (repo / "snapshots" / commit).symlink_to(random_model)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert model_folder(ModelConfig(), "someone/small").resolve() == random_model
    with pytest.raises(ModelError, match="could not get the weights of someone/else from the hub"):
        model_folder(ModelConfig(), "someone/else")


def test_older_settings_tell_the_new_type(random_model: Path, tmp_path: Path) -> None:
    base = base_of(KINDS["untied"], random_model, tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    old = {key: value for key, value in config.items() if key != "dtype"} | {"torch_dtype": "float32"}
    (base / "config.json").write_text(json.dumps(old))
    fold(ModelConfig(), str(base), trained(base, tmp_path / "run"), tmp_path / "merged", "bfloat16")
    written = json.loads((tmp_path / "merged" / "config.json").read_text())
    assert written["dtype"] == written["torch_dtype"] == "bfloat16"


def test_the_vocabulary_of_sentencepiece_goes_along(random_model: Path, tmp_path: Path) -> None:
    base = base_of(KINDS["untied"], random_model, tmp_path / "base")
    (base / "tokenizer.model").write_bytes(b"pieces")
    fold(ModelConfig(), str(base), trained(base, tmp_path / "run"), tmp_path / "merged")
    assert (tmp_path / "merged" / "tokenizer.model").read_bytes() == b"pieces"


# --- what cannot be merged ------------------------------------------------------------------------------------------


def refused(base: Path, run: Path, message: str) -> None:
    out = run.parent / "refused"
    with pytest.raises(ModelError, match=message) as raised:
        fold(ModelConfig(), str(base), run, out)
    assert "\n" not in str(raised.value)
    assert not out.exists() or not list(out.iterdir()), "nothing is left behind"


def test_an_adapter_for_another_base_is_refused(random_model: Path, tmp_path: Path) -> None:
    run = trained(random_model, tmp_path / "run")
    wide = AutoConfig.for_model("llama", **{**SHAPE, "hidden_size": 64})
    refused(base_of(wide, random_model, tmp_path / "wide"), run, r"is for a model\S+ of \(32, \d+\), and that of .* is \(64")
    short = AutoConfig.for_model("llama", **{**SHAPE, "num_hidden_layers": 1})
    refused(base_of(short, random_model, tmp_path / "short"), run, r"changes model\.layers\.1\.\S+, which .* does not have")
    other = base_of(KINDS["fused"], random_model, tmp_path / "other")
    refused(other, run, "does not have; set model.path to the model that it was trained on")


def test_a_base_with_another_vocabulary_is_refused(random_model: Path, tmp_path: Path) -> None:
    small = AutoConfig.for_model("llama", tie_word_embeddings=True, **{**SHAPE, "vocab_size": 300})
    base = base_of(small, random_model, tmp_path / "base")
    refused(base, trained(random_model, tmp_path / "run"), r"has 3\d\d entries and the weights only 300")


def test_a_quantised_base_is_refused(random_model: Path, tmp_path: Path) -> None:
    run = trained(random_model, tmp_path / "run")
    base = base_of(KINDS["untied"], random_model, tmp_path / "base")
    save_file({name: tensor.to(torch.int8) for name, tensor in weights(base).items()}, base / "model.safetensors")
    refused(base, run, r"quantised \(I8\), so nothing can be added to it")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"use_dora": True}, "use_dora=True"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "lora_only"}, "bias='lora_only'"),
        ({"alpha_pattern": {"q_proj": 3}}, "alpha_pattern"),
        ({"target_modules": ["embed_tokens", "q_proj"]}, "embed_tokens"),
    ],
)
def test_more_than_plain_lora_is_refused(random_model: Path, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(random_model)
    config = LoraConfig(**{"target_modules": ["q_proj", "v_proj"], "r": 4, "task_type": "CAUSAL_LM", **options})
    get_peft_model(model, config).save_pretrained(tmp_path / "run" / ADAPTER_DIR)
    refused(random_model, tmp_path / "run", f"is not plain LoRA .*{message}.* export it as it is")


def test_a_damaged_adapter_is_one_sentence(random_model: Path, tmp_path: Path) -> None:
    run = trained(random_model, tmp_path / "run")
    file = run / ADAPTER_DIR / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    refused(random_model, run, "could not read the adapter")


def test_an_adapter_that_is_not_finite_is_refused(random_model: Path, tmp_path: Path) -> None:
    run = trained(random_model, tmp_path / "run")
    file = run / ADAPTER_DIR / "adapter_model.safetensors"
    tensors = load_file(file)
    next(iter(tensors.values()))[0, 0] = float("nan")
    save_file(tensors, file)
    refused(random_model, run, r"layers\.\d\S+ has numbers that are not finite")
