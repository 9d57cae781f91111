"""What models are made of: counted exactly, without their weights."""

import json
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM

from trivium.compose import options
from trivium.errors import ModelError
from trivium.models.adapters import attach
from trivium.planner import weights
from trivium.planner.anatomy import anatomy
from trivium.schema import FullAdapter, LoraAdapter, ModelConfig, ModelShape, TinyBuild

COUNTS = {
    "qwen2_5_0_5b": 494_032_768,
    "qwen2_5_1_5b": 1_543_714_304,
    "llama3_1_8b": 8_030_261_248,
    "r1_qwen3_8b": 8_190_735_360,
    "r1_llama_70b": 70_553_706_496,
}
"""As their model cards and their files tell."""


@pytest.mark.parametrize("name", COUNTS)
def test_shapes_have_the_parameters_of_their_models(config_of, name: str) -> None:
    assert anatomy(config_of("experiment=none", f"model={name}").model).parameters == COUNTS[name]


def test_every_shipped_shape_can_be_planned(config_of) -> None:
    for name in options("model"):
        model = config_of("experiment=none", f"model={name}").model if name != "hf" else ModelConfig()
        found = anatomy(model)
        assert found.parameters > 0 and found.linears and found.hidden_size


def test_the_embedded_model_is_what_is_built_of_it() -> None:
    from trivium.models.tiny import make_model

    class Words:
        eos_token_id, pad_token_id = 1, 0

        def __len__(self) -> int:
            return TinyBuild().vocab_size

    built = make_model(TinyBuild(), Words())  # type: ignore[arg-type]
    assert anatomy(ModelConfig()).parameters == sum(p.numel() for p in built.parameters())


@pytest.mark.parametrize(
    "adapter",
    [
        LoraAdapter(r=4),
        LoraAdapter(r=4, target_modules=["q_proj", "down_proj"]),
        LoraAdapter(r=4, target_modules=r".*mlp\.(gate|up)_proj"),
        LoraAdapter(r=4, num_layers=1, target_modules=["q_proj", "up_proj"]),
    ],
    ids=["all", "names", "pattern", "last blocks"],
)
def test_adapters_have_the_weights_that_peft_gives_them(random_model: Path, adapter: LoraAdapter) -> None:
    real = attach(AutoModelForCausalLM.from_pretrained(random_model), adapter, 0)
    found = anatomy(ModelConfig(path=str(random_model)))
    assert weights.adapter_parameters(found, adapter) == sum(p.numel() for p in real.parameters() if p.requires_grad)
    assert weights.trained(found, FullAdapter()) == real.base_model.model.num_parameters() - weights.adapter_parameters(
        found, adapter
    )


def test_an_unknown_architecture_is_named_and_a_shape_is_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "quux", "hidden_size": 64}), encoding="utf-8")
    with pytest.raises(ModelError, match=r"'quux'.*does not know.*[1-9]\d\d there are llama.*model\.shape"):
        anatomy(ModelConfig(path=str(tmp_path)))
    told = ModelShape("llama", 64, 128, 2, 4, vocab_size=100)
    assert anatomy(ModelConfig(path=str(tmp_path), shape=told)).source == "model.shape"


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_a_config_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(ModelError, match=r"config\.json (is no JSON|holds no settings).*again"):
        anatomy(ModelConfig(path=str(tmp_path)))


def test_a_model_that_is_nowhere_needs_a_shape() -> None:
    with pytest.raises(ModelError, match=r"neither in a local folder nor downloaded.*model\.shape"):
        anatomy(ModelConfig(path="nobody/nothing-of-the-kind"))
    with pytest.raises(ModelError, match="intermediate_size, num_hidden_layers"):
        anatomy(ModelConfig(path="nobody/nothing-of-the-kind", shape=ModelShape("llama", 64)))


def test_a_model_that_writes_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit"}), encoding="utf-8")
    with pytest.raises(ModelError, match="no causal language model"):
        anatomy(ModelConfig(path=str(tmp_path)))


def test_the_embedding_counts_once_where_it_is_the_head() -> None:
    tied, untied = (ModelShape("llama", 64, 128, 2, 4, vocab_size=100, tie_word_embeddings=both) for both in (True, False))
    small, large = (anatomy(ModelConfig(path="a/b", init="random", shape=shape)).parameters for shape in (tied, untied))
    assert large - small == 100 * 64
