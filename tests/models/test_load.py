import json
import shutil
from pathlib import Path

import pytest
import torch

from trivium.errors import ConfigError, ModelError
from trivium.models.adapters import attach
from trivium.models.load import load_base, load_tokenizer, load_tuned
from trivium.schema import FullAdapter, HardwareConfig, LoraAdapter, ModelConfig


@pytest.fixture
def folder(random_model: Path, tmp_path: Path) -> Path:
    """A copy of the random model that a test may damage."""
    return Path(shutil.copytree(random_model, tmp_path / "model"))


def base(path: Path | str, **hardware):
    return load_base(ModelConfig(), HardwareConfig(**hardware), str(path))


def test_a_whole_directory_loads(folder):
    model = base(folder, dtype="bfloat16", attn_implementation="eager")
    assert model.dtype == torch.bfloat16 and not model.training and model.config._attn_implementation == "eager"
    tokenizer = load_tokenizer(ModelConfig(), str(folder))
    assert tokenizer.pad_token == "<|pad|>" and tokenizer.chat_template


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"model.path: .*/nowhere is not a directory"):
        base(tmp_path / "nowhere")


def test_a_directory_without_config(tmp_path):
    with pytest.raises(ModelError, match=r"has no config\.json"):
        base(tmp_path)
    with pytest.raises(ModelError, match=r"has no config\.json"):
        load_tokenizer(ModelConfig(), str(tmp_path))


def test_no_tokenizer(folder):
    for file in [*folder.glob("tokenizer*"), *folder.glob("chat_template*")]:
        file.unlink()
    with pytest.raises(ModelError, match="has no tokenizer"):
        load_tokenizer(ModelConfig(), str(folder))


def test_a_damaged_tokenizer(folder):
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match="could not load the tokenizer"):
        load_tokenizer(ModelConfig(), str(folder))


def test_no_chat_template_and_the_way_out(folder, tmp_path):
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match=r"no chat template; name a Jinja file with model.chat_template="):
        load_tokenizer(ModelConfig(), str(folder))
    own = tmp_path / "own.jinja"
    own.write_text("{% for m in messages %}{{ m['content'] }}{% endfor %}")
    tokenizer = load_tokenizer(ModelConfig(chat_template=str(own)), str(folder))
    assert tokenizer.apply_chat_template([{"role": "user", "content": "hello"}], tokenize=False) == "hello"
    with pytest.raises(ModelError, match="is not a file"):
        load_tokenizer(ModelConfig(chat_template=str(tmp_path / "none.jinja")), str(folder))


def test_padding_falls_back_on_the_end_token(folder):
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings.pop("pad_token")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    assert load_tokenizer(ModelConfig(), str(folder)).pad_token == "<|end|>"


def test_no_weights(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"has no weights \(\*.safetensors\)"):
        base(folder)


def test_pickled_weights_are_refused_even_when_they_would_load(folder):
    torch.save(base(folder).state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"pytorch_model.bin \(a pickle"):
        base(folder)


def test_weights_cut_short(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"could not load the weights of .*damaged"):
        base(folder)


def test_code_in_the_repository_is_not_run(folder):
    settings = json.loads((folder / "config.json").read_text())
    settings |= {"model_type": "other", "auto_map": {"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M"}}
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "own.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelError, match="could not load the weights"):
        base(folder)


def test_a_hub_id_without_network_says_what_to_do(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"trivium-tests/no-such-model from the hub .*HF_HUB_OFFLINE=1.*local directory"):
        base("trivium-tests/no-such-model")
    with pytest.raises(ModelError, match="could not get the tokenizer of trivium-tests/no-such-model"):
        load_tokenizer(ModelConfig(), "trivium-tests/no-such-model")


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
def test_a_device_that_is_not_there(folder):
    with pytest.raises(ConfigError, match=r"hardware.device is cuda, but PyTorch .* sees only cpu"):
        base(folder, device="cuda")


def test_lora_trains_little_and_full_trains_all(folder):
    lora = attach(base(folder), LoraAdapter(r=2), seed=0)
    trained = [name for name, p in lora.named_parameters() if p.requires_grad]
    assert trained and all("lora_" in name for name in trained) and not any("lm_head" in name for name in trained)
    assert all(p.requires_grad for p in attach(base(folder), FullAdapter(), seed=0).parameters())


def test_the_adapter_starts_from_the_seed(folder):
    first, again, other = (attach(base(folder), LoraAdapter(r=2), seed=s).state_dict() for s in (0, 0, 1))
    name = next(name for name in first if "lora_A" in name)
    assert torch.equal(first[name], again[name]) and not torch.equal(first[name], other[name])


@pytest.mark.parametrize(("names", "said"), [(["no_such"], "no_such.*q_proj"), (["lm_head"], "lm_head, which cannot")])
def test_target_modules_that_do_not_fit(folder, names, said):
    with pytest.raises(ConfigError, match=said):
        attach(base(folder), LoraAdapter(target_modules=names), seed=0)


def test_tuned_weights_come_from_the_run(folder, tmp_path):
    model, hardware, run = ModelConfig(), HardwareConfig(), tmp_path / "run"
    with pytest.raises(ModelError, match=r"holds neither model/ nor adapter/"):
        load_tuned(model, hardware, str(folder), run)
    adapted = attach(base(folder), LoraAdapter(r=2), seed=0)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    adapted.save_pretrained(run / "adapter")
    ids = torch.tensor([[5, 6, 7]])
    tuned = load_tuned(model, hardware, str(folder), run)
    torch.testing.assert_close(tuned(ids).logits, adapted.eval()(ids).logits)
    assert not torch.allclose(tuned(ids).logits, base(folder)(ids).logits)
    (run / "adapter" / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"has no \.safetensors weights"):
        load_tuned(model, hardware, str(folder), run)


def test_a_chat_template_that_is_no_jinja_is_told_with_its_line(random_model: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jinja").write_text("{% for m in messages %}\n{{")
    with pytest.raises(ModelError, match=r"bad\.jinja is no Jinja.*line 2"):
        load_tokenizer(ModelConfig(chat_template=str(tmp_path / "bad.jinja")), str(random_model))
