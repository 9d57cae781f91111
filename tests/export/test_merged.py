"""The merged export answers as base and adapter did, and any program can read it."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.export import shapes
from tests.export.forms import certificates, job_of, make, tuned
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from trivium.export import hf_config
from trivium.export.job import Job
from trivium.models.load import MODEL_DIR
from trivium.schema import Config

ConfigOf = Callable[..., Config]
SETTINGS = ("arms=null", "export=merged", "export.parity.prompts=4", "export.parity.max_new_tokens=12")


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_it_answers_as_base_and_adapter(config_of: ConfigOf, tmp_path: Path, shape: str) -> None:
    base, run = tuned(shape, tmp_path)
    job = job_of(config_of(*SETTINGS), base, run)
    folder = make(job, "merged", {})
    found = certificates(job, "merged", {"merged": folder})["merged"]
    assert found.passed, found.reasons
    assert found.precision == "f32" and found.kl < 1e-6 and found.answers == 1
    assert "merged/model.safetensors" in found.files and "merged/manifest.json" not in found.files


def test_one_with_other_weights_does_not(config_of: ConfigOf, tmp_path: Path) -> None:
    base, run = tuned("llama_tied", tmp_path)
    job = job_of(config_of(*SETTINGS), base, run)
    folder = make(job, "merged", {})
    (folder / "model.safetensors").write_bytes((base / "model.safetensors").read_bytes())
    found = certificates(job, "merged", {"merged": folder})["merged"]
    assert not found.passed and any("divergence" in reason for reason in found.reasons)


@pytest.mark.parametrize(("dtype", "precision"), [("bfloat16", "bf16"), ("float16", "f16")])
def test_it_may_be_of_another_type(config_of: ConfigOf, tmp_path: Path, dtype: str, precision: str) -> None:
    base, run = tuned("qwen2", tmp_path)
    job = job_of(config_of(*SETTINGS, f"export.merged.dtype={dtype}"), base, run)
    folder = make(job, "merged", {})
    assert {str(t.dtype) for t in load_file(folder / "model.safetensors").values()} == {f"torch.{dtype}"}
    config = json.loads((folder / "config.json").read_text())
    assert config["dtype"] == config["torch_dtype"] == dtype
    found = certificates(job, "merged", {"merged": folder})["merged"]
    assert found.precision == precision and found.passed, found.reasons


def test_the_type_of_the_base_is_kept(config_of: ConfigOf, tmp_path: Path) -> None:
    base, run = tuned("qwen3", tmp_path, dtype="bfloat16")
    folder = make(job_of(config_of(*SETTINGS), base, run), "merged", {})
    assert AutoConfig.from_pretrained(folder).dtype == torch.bfloat16


def test_a_whole_model_is_exported_too(config_of: ConfigOf, tmp_path: Path) -> None:
    base, run = tuned("qwen3", tmp_path)
    shapes.make("qwen3", run / MODEL_DIR, hidden=64, seed=3)
    job = job_of(config_of(*SETTINGS, "adapter=full"), base, run)
    folder = make(job, "merged", {})
    assert (folder / "model.safetensors").read_bytes() == (run / MODEL_DIR / "model.safetensors").read_bytes()
    assert certificates(job, "merged", {"merged": folder})["merged"].passed


# --- what other programs read ---------------------------------------------------------------------------------------


@pytest.fixture
def exported(config_of: ConfigOf, tmp_path: Path) -> tuple[Job, Path]:
    base, run = tuned("llama_untied", tmp_path)
    job = job_of(config_of(*SETTINGS), base, run)
    return job, make(job, "merged", {})


def test_rope_stands_under_old_and_new_names(exported: tuple[Job, Path]) -> None:
    job, folder = exported
    config = json.loads((folder / "config.json").read_text())
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 50000.0
    assert config["rope_scaling"] is None
    before = AutoConfig.from_pretrained(job.base).to_dict()
    after = AutoConfig.from_pretrained(folder).to_dict()
    old = dict(config, rope_parameters=None)
    del old["rope_parameters"]
    (folder / "config.json").write_text(json.dumps(old))
    assert AutoConfig.from_pretrained(folder).rope_parameters == before["rope_parameters"] == after["rope_parameters"]


LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 256,
}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"rope_theta": 7e4, "rope_scaling": LLAMA3}, {"rope_theta": 7e4, "rope_scaling": LLAMA3}),
        ({"rope_parameters": {"rope_theta": 7e4, **LLAMA3}}, {"rope_theta": 7e4, "rope_scaling": LLAMA3}),
        ({"rope_theta": 7e4}, {"rope_theta": 7e4, "rope_scaling": None}),
    ],
)
def test_scaled_positions_survive(
    random_model: Path, tmp_path: Path, given: dict[str, object], wanted: dict[str, object]
) -> None:
    AutoModelForCausalLM.from_pretrained(random_model).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(random_model).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["rope_parameters"]
    (tmp_path / "config.json").write_text(json.dumps({**config, **given}))
    before = AutoConfig.from_pretrained(tmp_path).rope_parameters
    hf_config.complete(tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())
    assert {key: written[key] for key in wanted} == wanted and written["rope_parameters"] == before
    assert AutoConfig.from_pretrained(tmp_path).rope_parameters == before
    for gone in ("rope_parameters", "rope_theta"):  # either kind of reader finds all that it needs
        kept = {
            key: value for key, value in written.items() if key != gone and (gone == "rope_parameters" or key != "rope_scaling")
        }
        (tmp_path / "config.json").write_text(json.dumps(kept))
        assert AutoConfig.from_pretrained(tmp_path).rope_parameters == before


def test_layers_of_two_kinds_keep_both_frequencies() -> None:
    rope = {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    }
    config = AutoConfig.for_model("gemma3_text", num_hidden_layers=6, rope_parameters=rope).to_dict()
    found = hf_config._both_names({}, config)
    assert (found["rope_theta"], found["rope_local_base_freq"]) == (1e6, 1e4)
    assert found["rope_scaling"] == {"rope_type": "linear", "factor": 8.0}
    assert found["rope_parameters"] == config["rope_parameters"]


def test_a_text_model_within_another_has_them_too() -> None:
    rope = {"rope_type": "default", "rope_theta": 7e4}
    found = hf_config._both_names({"text_config": {"dtype": "bfloat16"}}, {"text_config": {"rope_parameters": rope}})
    assert found["text_config"]["rope_theta"] == 7e4 and found["text_config"]["rope_parameters"] == rope
    assert found["text_config"]["torch_dtype"] == "bfloat16"


def test_it_stops_where_the_reference_does_and_answers_greedily(exported: tuple[Job, Path]) -> None:
    _, folder = exported
    tokenizer = AutoTokenizer.from_pretrained(folder)
    settings = json.loads((folder / "generation_config.json").read_text())
    ends = tokenizer.convert_tokens_to_ids(["<|eot_id|>", "<|end_of_text|>"])
    assert sorted(settings["eos_token_id"]) == sorted(ends) and settings["do_sample"] is False
    assert settings["bos_token_id"] == tokenizer.bos_token_id and settings["pad_token_id"] == tokenizer.pad_token_id
    sampled = {**settings, "do_sample": True, "temperature": 0.7, "top_p": 0.8, "eos_token_id": ends[1], "max_length": 99}
    (folder / "generation_config.json").write_text(json.dumps(sampled))
    hf_config.complete(folder)
    again = json.loads((folder / "generation_config.json").read_text())
    assert again == {**settings, "max_length": 99}


def test_the_template_loses_its_tags_and_nothing_else(config_of: ConfigOf, tmp_path: Path) -> None:
    base, run = tuned("llama_tied", tmp_path)
    folder = make(job_of(config_of(*SETTINGS), base, run), "merged", {})
    before, after = AutoTokenizer.from_pretrained(base), AutoTokenizer.from_pretrained(folder)
    assert "{% generation %}" in before.chat_template and "generation %}" not in after.chat_template
    assert (folder / "chat_template.jinja").read_text() == after.chat_template
    assert json.loads((folder / "tokenizer_config.json").read_text())["chat_template"] == after.chat_template
    turns = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "You.\n"}]
    assert before.apply_chat_template(turns, tokenize=False) == after.apply_chat_template(turns, tokenize=False)


def test_the_tokenizer_has_names_that_older_programs_know(exported: tuple[Job, Path]) -> None:
    job, folder = exported
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    assert settings["tokenizer_class"] == "PreTrainedTokenizerFast" and not isinstance(
        settings.get("extra_special_tokens"), list
    )
    before, after = AutoTokenizer.from_pretrained(job.base), AutoTokenizer.from_pretrained(folder)
    text = "<|begin_of_text|>It's <|eot_id|> naïve\n\n 12345"
    assert before(text)["input_ids"] == after(text)["input_ids"]
    assert before.special_tokens_map == after.special_tokens_map


def test_further_special_tokens_survive(random_model: Path, tmp_path: Path) -> None:
    AutoModelForCausalLM.from_pretrained(random_model).save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(random_model)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|user|>", "<|assistant|>"]})
    tokenizer.save_pretrained(tmp_path)
    hf_config.complete(tmp_path)
    after = AutoTokenizer.from_pretrained(tmp_path)
    assert after.extra_special_tokens == tokenizer.extra_special_tokens == ["<|user|>", "<|assistant|>"]
    assert after.decode(after("<|user|>x")["input_ids"], skip_special_tokens=True) == "x"


def test_several_templates_are_kept_apart(random_model: Path, tmp_path: Path) -> None:
    AutoModelForCausalLM.from_pretrained(random_model).save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(random_model)
    tokenizer.chat_template = {"default": tokenizer.chat_template, "tool_use": "{% generation %}x{% endgeneration %}"}
    tokenizer.save_pretrained(tmp_path)
    hf_config.complete(tmp_path)
    after = AutoTokenizer.from_pretrained(tmp_path).chat_template
    assert after["tool_use"] == "x" and "generation %}" not in after["default"]


@pytest.mark.slow
def test_nothing_but_the_folder_is_needed(exported: tuple[Job, Path]) -> None:
    """A fresh process without this project answers from it."""
    _, folder = exported
    program = (
        "import sys; from transformers import pipeline; import transformers; transformers.logging.set_verbosity_error();"
        "ask = pipeline('text-generation', sys.argv[1]);"
        "print(ask([{'role': 'user', 'content': 'Who?'}], max_new_tokens=3)[0]['generated_text'][-1]['role'])"
    )
    run = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, timeout=120)
    assert run.stdout.strip() == "assistant", run.stderr


def test_the_coarser_type_limits_the_certificate(config_of: ConfigOf, exported: tuple[Job, Path]) -> None:
    from trivium.export.kinds.merged import precision

    job, folder = exported
    assert precision(job, folder) == "f32"
    hardware = replace(job.config.hardware, dtype="bfloat16")
    assert precision(replace(job, config=replace(job.config, hardware=hardware)), folder) == "bf16"
