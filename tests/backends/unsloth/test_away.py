"""A training in another environment is this project's own, whatever the library there does to the trainers it finds.

Its part is taken by a few lines that load the model and meddle with everything; `test_trainings.py` has the real one.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.backends.trainings import Watch as Told
from tests.backends.trainings import configured, same, weights

from trivium.backends.torch import sft as here
from trivium.backends.unsloth import sft
from trivium.errors import ConfigError
from trivium.schema import BackendConfig, Config

MEDDLER = """
import functools, os
assert os.environ["UNSLOTH_AUTO_INSTALL"] == "0"
import sys
assert not {"torch", "transformers", "peft", "trl"} & {*sys.modules}, "imported too late"
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

def spoiled(made):
    @functools.wraps(made)
    def post_init(self):
        self.learning_rate = 1.0
        made(self)
    return post_init

TrainingArguments.__post_init__ = spoiled(TrainingArguments.__post_init__)

class FastLanguageModel:
    @staticmethod
    def from_pretrained(name, *, max_seq_length, dtype, load_in_4bit, **settings):
        assert (max_seq_length, load_in_4bit) == (128, False)
        for wanted in ("use_safetensors", "use_exact_model_name"):
            assert settings[wanted] is True
        for refused in ("trust_remote_code", "fix_tokenizer", "use_gradient_checkpointing"):
            assert settings[refused] is False
        Trainer.training_step = Trainer.get_batch_samples = Trainer.added = None
        return AutoModelForCausalLM.from_pretrained(name, dtype=dtype), None

    @staticmethod
    def get_peft_model(model, random_state, use_gradient_checkpointing, **settings):
        tuned = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **settings))
        tuned.peft_config["default"].base_model_name_or_path = "somebody/elses-copy"
        return tuned
"""


class Watch(Told):
    def table(self, *_) -> None:
        pass


@pytest.fixture
def elsewhere(tmp_path: Path) -> BackendConfig:
    """An interpreter that finds the meddler."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "unsloth.py").write_text(MEDDLER, encoding="utf-8")
    python = tmp_path / "python"
    asked = '[ "$1" = -I ] && echo 0.0.0 && exit'
    run = f'PYTHONPATH="{tmp_path / "packages"}:$PYTHONPATH" exec "{sys.executable}" "$@"'
    python.write_text(f"#!/bin/sh\n{asked}\n{run}\n", encoding="utf-8")
    python.chmod(0o755)
    return BackendConfig(name="unsloth", python=str(python))


def train(module, config: Config, base: Path, data: Path, out: Path, watch: Watch) -> dict[str, float]:
    return module.train(config, str(base), data, out, record=watch, progress=watch.progress)


@pytest.mark.slow
def test_it_is_the_same_training(random_model, prepared, tmp_path, elsewhere):
    config, ours, theirs = configured(eval_steps=4), Watch(), Watch()
    expected = train(here, config, random_model, prepared, tmp_path / "here", ours)
    found = train(sft, replace(config, backend=elsewhere), random_model, prepared, tmp_path / "there", theirs)
    for name in ("loss", "nll", "grad_norm", "learning_rate", "eval_nll"):
        assert theirs.values(name) == pytest.approx(ours.values(name), rel=1e-5) and ours.values(name), name
    assert theirs.steps == ours.steps
    assert found.keys() == expected.keys() and found["eval_nll"] == pytest.approx(expected["eval_nll"], rel=1e-5)
    assert same(tmp_path / "here", tmp_path / "there") and weights(tmp_path / "there")
    settings = [json.loads((tmp_path / out / "adapter" / "adapter_config.json").read_text()) for out in ("here", "there")]
    assert {*settings[0].pop("target_modules")} == {*settings[1].pop("target_modules")}
    assert settings[0] == settings[1] and settings[1]["base_model_name_or_path"] == str(random_model)


def test_nobody_watches_it(random_model, prepared, tmp_path, elsewhere):
    config = replace(configured(), backend=elsewhere)
    with pytest.raises(ConfigError, match=r"no trial can be stopped early; set sweep.pruner=none"):
        sft.train(config, str(random_model), prepared, tmp_path, record=Watch(), progress=print, watch=object())
