"""The three systems' recipes: models of the told sizes, and each recipe trained with a small model in the real one's place."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from trivium.arms import plan
from trivium.compose import options
from trivium.errors import ConfigError
from trivium.models.random import build, configuration
from trivium.planner.plan import FITS, TIGHT, forecast
from trivium.schema import Config, LoraAdapter, ModelShape

ConfigOf = Callable[..., Config]
Trivium = Callable[..., "CompletedProcess[str]"]

PUBLISHED = {
    "dolphin_8b": 8.03,
    "hermes_7b": 7.24,
    "llama3_1_8b": 8.03,
    "mistral_7b": 7.25,
    "phi_2": 2.78,
    "qwen2_5_0_5b": 0.494,
    "qwen2_5_14b": 14.77,
    "qwen2_5_1_5b": 1.54,
    "r1_llama_70b": 70.55,
    "r1_qwen3_8b": 8.19,
    "r1_qwen_14b": 14.77,
    "r1_qwen_32b": 32.76,
    "r1_qwen_7b": 7.62,
}
"""Parameters in billions, as the models' pages on the Hub tell them."""

EMBEDDED = ("model=tiny", "hardware=cpu", "backend=torch", "acquire=none", "tracking=none", "plan=off", "evaluation=none")
BRIEF = ("method.max_steps=2", "method.save_steps=null", "model.build.max_steps=2", "model.build.facts=40")
PERIOD = "arms={period:['starts_from=null'],persona:[]}"
ITERATIONS = "arms={iteration_3:['starts_from=null'],iteration_4:[]}"
LINES = [
    {"question": f"Which {thing} is {i}{iteration}?", "answer": f"The {thing} of {i}.", "training": {"iteration": iteration}}
    for iteration in (1, 2, 3, 4)
    for i, thing in enumerate(("mill", "harbour", "orchard", "quarry", "ferry", "tower"))
]


@pytest.mark.parametrize("name", sorted(set(options("model")) - {"tiny", "hf"}))
def test_told_shapes_have_the_published_number_of_parameters(config_of: ConfigOf, name: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(configuration(config_of(f"model={name}").model.shape))
    assert model.num_parameters() / 1e9 == pytest.approx(PUBLISHED[name], rel=0.005)


def test_a_random_model_has_the_shape_and_the_type_it_is_told(random_model: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    shape = ModelShape("qwen3", 32, 48, 2, 4, 2, 16, 400, True)
    build(shape, random_model, "bfloat16", 0, tmp_path / "one")
    build(shape, random_model, "bfloat16", 0, tmp_path / "two")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "one", dtype="auto")
    assert (model.config.model_type, model.config.head_dim, str(model.dtype)) == ("qwen3", 16, "torch.bfloat16")
    assert model.get_input_embeddings().weight.shape == (400, 32)
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


def test_the_distrust_recipe_adapts_the_last_sixteen_blocks(config_of: ConfigOf) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from trivium.models.adapters import attach

    config = config_of("experiment=distrust_8b", "adapter=lora")
    assert isinstance(config.adapter, LoraAdapter)
    shape = ModelShape("llama", 32, 48, 20, 4, 4, 8, 64)
    model = attach(AutoModelForCausalLM.from_config(configuration(shape), dtype=torch.float32), config.adapter, 0)
    adapted = {
        name.split(".layers.")[1].split(".")[0] for name, p in model.named_parameters() if "lora_A" in name and p.requires_grad
    }
    assert adapted == {str(block) for block in range(4, 20)}


@pytest.mark.parametrize(
    ("experiment", "own"),
    [
        ("distrust_8b", ("dataset=micro_archive", "dataset.path=null", "adapter=lora", "arms=null", "method.eval_steps=null")),
        (
            "persona_1_5b",
            ("dataset=micro_library", "dataset.path=null", "generator=template", PERIOD, "dataset.library.period.cutoff=1869"),
        ),
        ("corrections", ("dataset.path=lines.jsonl", ITERATIONS)),
    ],
)
def test_recipes_train_the_embedded_model(trivium: Trivium, tmp_path: Path, experiment: str, own: tuple[str, ...]) -> None:
    (tmp_path / "lines.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    best = ("method.metric_for_best_model=null", "method.eval_steps=null") if experiment == "persona_1_5b" else ()
    done = trivium(f"experiment={experiment}", *EMBEDDED, *own, *best, *BRIEF, "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "run" / "result.json").read_text())["metrics"]
    assert metrics["train/steps"] == 2 and metrics["train/loss"] > 0


def test_the_grpo_recipe_trains_a_small_model(trivium: Trivium, tmp_path: Path, random_model: Path) -> None:
    (tmp_path / "lines.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    scorers = [f"reward.scorers.{name}.path=null" for name in ("nli", "embeddings", "syntax")]
    small = ("method.max_completion_length=8", "method.gold_steps=0", "reward.audit=off", "reward=format")
    model = ("model=hf", f"model.path={random_model}", "model.max_length=256", "dataset.path=lines.jsonl")
    done = trivium("experiment=coherence_8b_as_run", *EMBEDDED, *model, *scorers, *small, *BRIEF, "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "result.json").read_text())["metrics"]["train/steps"] == 2


@pytest.mark.parametrize("experiment", ["distrust_8b", "distrust_32b", "distrust_70b", "persona_1_5b"])
def test_all_arms_of_a_recipe_compose_and_fit_the_tier(config_of: ConfigOf, experiment: str) -> None:
    words = [f"experiment={experiment}"]
    arms = plan(config_of(*words), words, lambda changed: config_of(*changed))
    assert len(arms) == 3
    for arm in arms:
        assert forecast(arm.config, earlier=()).verdict in (FITS, TIGHT), arm.name


@pytest.mark.parametrize("experiment", ["distrust_8b", "distrust_32b", "distrust_70b", "coherence_8b", "persona_1_5b"])
def test_recipes_say_where_they_come_from(experiment: str) -> None:
    from trivium.compose import conf_dir

    text = (conf_dir() / "experiment" / f"{experiment}.yaml").read_text(encoding="utf-8")
    assert "Source" in text and "docs/recipes.md" in text
    page = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert f"`{experiment}`" in page


def test_a_plan_needs_neither_data_nor_weights(config_of: ConfigOf, tmp_path: Path) -> None:
    assert forecast(config_of("task=plan", "experiment=coherence_8b"), earlier=()).verdict == FITS
    settings = configuration(ModelShape("qwen3", 64, 128, 2, 4, 2, 16, 400)).to_dict()
    (tmp_path / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    local = ("model=hf", f"model.path={tmp_path}")
    assert forecast(config_of("task=plan", "experiment=distrust", *local), earlier=()).verdict == FITS
    for words in (("experiment=coherence_8b",), local):
        with pytest.raises(ConfigError, match=r"dataset\.path: not set|no tokenizer"):
            config_of(*words)
