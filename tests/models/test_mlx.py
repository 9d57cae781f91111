"""Models in MLX: what they load, what they refuse, and adapters there and back."""

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tests.export import shapes

from trivium.errors import ConfigError, ModelError
from trivium.models import mlx
from trivium.models.load import load_base, load_tuned
from trivium.schema import HardwareConfig, ModelConfig

mx = pytest.importorskip("mlx.core", reason="MLX is not installed")

IDS = [[5, 17, 40, 99, 130, 7, 12, 61]]


def by_mlx(model) -> np.ndarray:
    return np.array(model(mx.array(IDS)))[0]


def by_torch(model) -> np.ndarray:
    with torch.inference_mode():
        return model(input_ids=torch.tensor(IDS)).logits[0].float().numpy()


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_base_and_adapter_say_what_they_say_in_pytorch(shape, tmp_path):
    shapes.make(shape, tmp_path / "base", hidden=64)
    shapes.tune(tmp_path / "base", tmp_path / "run")
    model, hardware, base = ModelConfig(), HardwareConfig(), str(tmp_path / "base")
    untuned = by_mlx(mlx.load(model, base).model)
    tuned = mlx.load_tuned(model, base, tmp_path / "run")
    assert untuned == pytest.approx(by_torch(load_base(model, hardware, base)), abs=1e-3)
    assert by_mlx(tuned.model) == pytest.approx(by_torch(load_tuned(model, hardware, base, tmp_path / "run")), abs=1e-3)
    assert np.abs(by_mlx(tuned.model) - untuned).max() > 0.1
    ends = json.loads((tmp_path / "base/generation_config.json").read_text())["eos_token_id"]
    assert tuned.stops == frozenset(ends if isinstance(ends, list) else [ends])


def test_a_rope_that_only_transformers_5_knows_is_heeded(tmp_path):
    """MLX-LM's Llama takes 10000 where `rope_theta` is missing, whatever `rope_parameters` says."""
    shapes.make("llama_tied", tmp_path, hidden=64)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["rope_parameters"]["rope_theta"] == 50000.0 and "rope_theta" not in config
    expected = by_torch(load_base(ModelConfig(), HardwareConfig(), str(tmp_path)))
    assert by_mlx(mlx.load(ModelConfig(), str(tmp_path)).model) == pytest.approx(expected, abs=1e-3)
    careless, _ = mlx.library().load_model(tmp_path)
    assert np.abs(by_mlx(careless) - expected).max() > 1e-2


def test_scaled_ropes_keep_their_scaling(tmp_path):
    shapes.make("llama_untied", tmp_path, hidden=64)
    config = json.loads((tmp_path / "config.json").read_text())
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    config["rope_parameters"] = {"rope_theta": 500.0, "original_max_position_embeddings": 16, **llama3}
    (tmp_path / "config.json").write_text(json.dumps(config))
    expected = by_torch(load_base(ModelConfig(), HardwareConfig(), str(tmp_path)))
    assert by_mlx(mlx.load(ModelConfig(), str(tmp_path)).model) == pytest.approx(expected, abs=1e-3)


def test_each_kind_of_attention_has_its_own_rope():
    kinds = {"full_attention": {"rope_type": "default", "rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e4}}
    found = mlx.rope_keys({"rope_parameters": kinds})
    assert found == {"rope_theta": 1e6, "rope_scaling": None, "rope_local_base_freq": 1e4}
    assert mlx.rope_keys({"rope_theta": 7.0}) == {}, "an older config stays as it is"


TENSORS = st.tuples(
    st.integers(1, 5), st.integers(1, 7), st.integers(1, 7), st.sampled_from([np.float32, np.float16, np.uint16])
).flatmap(
    lambda size: st.tuples(
        arrays.arrays(size[3], (size[0], size[1])),
        arrays.arrays(size[3], (size[2], size[0])),
    )
)


@given(st.dictionaries(st.sampled_from(["q_proj", "k_proj", "mlp.up_proj", "odd.lora_a"]), TENSORS, max_size=3))
def test_adapters_go_to_mlx_and_back_to_the_last_bit(modules):
    peft = {}
    for name, (a, b) in modules.items():
        peft[f"base_model.model.model.layers.0.{name}.lora_A.weight"] = a
        peft[f"base_model.model.model.layers.0.{name}.lora_B.weight"] = b
    there = mlx.to_mlx(peft)
    back = mlx.to_peft(there)
    assert list(back) == list(peft)
    assert all(back[name].tobytes() == peft[name].tobytes() for name in peft)
    for name, (a, _) in modules.items():
        assert there[f"model.layers.0.{name}.lora_a"].shape == a.shape[::-1]


def test_an_adapter_that_mlx_wrote_is_the_one_that_it_read(tmp_path):
    shapes.make("qwen2", tmp_path / "base", hidden=64)
    shapes.tune(tmp_path / "base", tmp_path / "run")
    config, _ = mlx.read_adapter(tmp_path / "run/adapter")
    tuned = mlx.load_tuned(ModelConfig(), str(tmp_path / "base"), tmp_path / "run")
    (tmp_path / "again/adapter").mkdir(parents=True)
    mlx.save_adapter(tuned.model, tmp_path / "again/adapter", config)
    first, second = (load_file(tmp_path / name / "adapter/adapter_model.safetensors") for name in ("run", "again"))
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    load_tuned(ModelConfig(), HardwareConfig(), str(tmp_path / "base"), tmp_path / "again")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned")
    shapes.make("llama_tied", folder / "base", hidden=64, layers=1)
    shapes.tune(folder / "base", folder)
    return folder


def edited(tuned: Path, folder: Path, **settings) -> Path:
    shutil.copytree(tuned / "adapter", folder / "adapter")
    file = folder / "adapter/adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))
    return folder


@pytest.mark.parametrize(
    "settings",
    [{"use_dora": True}, {"modules_to_save": ["lm_head"]}, {"rank_pattern": {"q_proj": 2}}, {"bias": "all"}],
    ids=str,
)
def test_adapters_beyond_plain_lora_are_refused(tuned, tmp_path, settings):
    with pytest.raises(ModelError, match=f"{next(iter(settings))}.*which MLX-LM does not know"):
        mlx.load_tuned(ModelConfig(), str(tuned / "base"), edited(tuned, tmp_path, **settings))


def test_an_adapter_of_another_base_is_refused(tuned, tmp_path):
    shapes.make("llama_tied", tmp_path / "wider", hidden=128, layers=1)
    with pytest.raises(ModelError, match=r"does not fit the model: .* by 256, and the adapter is for .* by 128"):
        mlx.load_tuned(ModelConfig(), str(tmp_path / "wider"), tuned)
    shapes.make("llama_tied", tmp_path / "deep", hidden=64, layers=2)
    shapes.tune(tmp_path / "deep", tmp_path)
    with pytest.raises(ModelError, match=r"there is no linear layer model.layers.1"):
        mlx.load_tuned(ModelConfig(), str(tuned / "base"), tmp_path)


def test_adapted_embeddings_are_refused(tuned, tmp_path):
    model = load_base(ModelConfig(), HardwareConfig(), str(tuned / "base"))
    get_peft_model(model, LoraConfig(r=2, target_modules=["embed_tokens", "q_proj"])).save_pretrained(
        tmp_path / "adapter", save_embedding_layers=False
    )
    with pytest.raises(ModelError, match=r"lora_embedding_[AB], which is not the LoRA of a linear layer"):
        mlx.load_tuned(ModelConfig(), str(tuned / "base"), tmp_path)


def test_what_is_missing_or_damaged_is_one_sentence(tuned, tmp_path):
    with pytest.raises(ModelError, match="holds no adapter"):
        mlx.load_tuned(ModelConfig(), str(tuned / "base"), tmp_path)
    shutil.copytree(tuned / "base", tmp_path / "base")
    weights = tmp_path / "base/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(ModelError, match=r"could not load the weights of .*; the files may be damaged"):
        mlx.load(ModelConfig(), str(tmp_path / "base"))
    config = json.loads((tuned / "base/config.json").read_text())
    shutil.copy(tuned / "base/model.safetensors", weights)
    (tmp_path / "base/config.json").write_text(json.dumps({**config, "model_type": "unheard_of"}))
    with pytest.raises(ModelError, match="unheard_of not supported"):
        mlx.load(ModelConfig(), str(tmp_path / "base"))


def test_a_weight_too_few_is_told(tuned, tmp_path):
    shutil.copytree(tuned / "base", tmp_path / "base")
    tensors = load_file(tmp_path / "base/model.safetensors")
    del tensors["model.norm.weight"]
    save_file(tensors, tmp_path / "base/model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"could not load the weights .*model\.norm\.weight"):
        mlx.load(ModelConfig(), str(tmp_path / "base"))


def test_a_device_that_is_not_there_is_told():
    if mx.is_available(mx.gpu):
        pytest.skip("this machine has a GPU that MLX sees")
    with pytest.raises(ConfigError, match=r"hardware.device is mps, but MLX sees only the cpu"):
        mlx.use_device(HardwareConfig(device="mps"))


def test_the_limit_on_open_files_stays(tmp_path):
    code = (
        "import resource; from trivium.models import mlx; "
        "before = resource.getrlimit(resource.RLIMIT_NOFILE); mlx.library(); "
        "assert resource.getrlimit(resource.RLIMIT_NOFILE) == before != (2048, 4096)"
    )
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits == (2048, 4096):
        pytest.skip("the limit is the very one that MLX-LM sets")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_without_mlx_the_way_out_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlx_lm.utils", None)
    with pytest.raises(ConfigError, match=r"MLX cannot be loaded here .*; pip install 'trivium\[mlx\]'"):
        mlx.library()
