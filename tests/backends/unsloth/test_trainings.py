"""Trainings by the real Unsloth, on its CPU fallback: the losses, weights and files of backend=torch."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.backends import trainings
from tests.backends.torch import test_grpo as questions
from tests.backends.trainings import configured, terminate, weights
from tests.backends.unsloth.place import PYTHON, needed

from trivium.backends.torch import grpo as torch_grpo
from trivium.backends.torch import sft as torch_sft
from trivium.backends.unsloth import grpo, sft
from trivium.errors import ConfigError, Interrupted
from trivium.schema import BackendConfig, Config, DistrustLoss, LoraAdapter, QloraAdapter, UniformLoss

pytestmark = [needed, pytest.mark.slow]
THERE = BackendConfig(name="unsloth", python=str(PYTHON))
STEPS = 12
CLOSE = {"rel": 1e-5, "abs": 1e-6}
"""The libraries' versions differ, so their sums may; where the versions have the same sums the figures are equal."""


class Watch(trainings.Watch):
    def table(self, *_) -> None:
        pass


def train(module, config: Config, base: Path, data: Path, out: Path, watch: Watch | None = None) -> Watch:
    watch = watch or Watch()
    config = replace(config, cache_dir=str(out / "cache"))
    module.train(config, str(base), data, out, record=watch, progress=watch.progress)
    return watch


def of(loss: UniformLoss | DistrustLoss) -> Config:
    adapter = LoraAdapter(r=4, use_rslora=True)
    config = configured(loss, adapter, max_steps=STEPS, logging_steps=1, save_steps=4, eval_steps=6)
    config.hardware.gradient_checkpointing = isinstance(loss, UniformLoss)
    return config


def alike(a: Path, b: Path) -> None:
    first, second = weights(a), weights(b)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, rtol=1e-4, atol=1e-6, msg=name)


@pytest.fixture(scope="module")
def whole(random_model, prepared, tmp_path_factory) -> tuple[Path, Watch]:
    """An uninterrupted training with weighted loss."""
    out = tmp_path_factory.mktemp("whole")
    return out, train(sft, replace(of(DistrustLoss()), backend=THERE), random_model, prepared, out)


def test_weighted_and_plain_losses_are_those_of_torch(whole, random_model, prepared, tmp_path):
    (weighted_out, weighted), plain = whole, Watch()
    train(sft, replace(of(UniformLoss()), backend=THERE), random_model, prepared, tmp_path / "plain", plain)
    for loss, watch, out in ((DistrustLoss(), weighted, weighted_out), (UniformLoss(), plain, tmp_path / "plain")):
        here = train(torch_sft, of(loss), random_model, prepared, tmp_path / loss.name)
        for name in ("loss", "nll", "grad_norm", "learning_rate", "entropy", "eval_nll", "eval_loss"):
            assert watch.values(name) == pytest.approx(here.values(name), **CLOSE), (loss.name, name)
        assert len(watch.values("loss")) == STEPS
        alike(tmp_path / loss.name, out)
        settings = [json.loads((run / "adapter" / "adapter_config.json").read_text()) for run in (tmp_path / loss.name, out)]
        assert {*settings[0].pop("target_modules")} == {*settings[1].pop("target_modules")}
        assert settings[0] == settings[1]
    assert weighted.values("nll")[0] == pytest.approx(plain.values("nll")[0], **CLOSE)  # the same rows under the same model
    assert abs(weighted.values("loss")[0] - plain.values("loss")[0]) > 0.1
    assert weighted.values("loss")[0] != pytest.approx(weighted.values("nll")[0], rel=1e-3)


def test_what_cannot_be_quantised_is_not_trained_plain(random_model, prepared, tmp_path, monkeypatch):
    """Left to itself, it takes the plain weights where bitsandbytes does not work."""
    monkeypatch.setenv("UNSLOTH_CPU_LOAD_IN_4BIT", "0")
    config = replace(configured(adapter=QloraAdapter(r=4)), backend=THERE)
    with pytest.raises(ConfigError, match=r"Unsloth cannot quantise this model here; set adapter=lora"):
        train(sft, config, random_model, prepared, tmp_path)


def test_an_interrupted_training_goes_on_where_it_stopped(whole, random_model, prepared, tmp_path):
    config = replace(of(DistrustLoss()), backend=THERE)
    with pytest.raises(Interrupted, match="the checkpoint is saved"):
        train(sft, config, random_model, prepared, tmp_path, Watch(5, terminate))
    (made,) = [path for path in (tmp_path / "checkpoints").iterdir() if path.name > "checkpoint-4"][-1:]
    assert (made / "optimizer.pt").is_file() and (made / "complete.json").is_file()
    again = train(sft, config, random_model, prepared, tmp_path)
    assert again.steps[0][0] == int(made.name.removeprefix("checkpoint-")) + 1
    first, second = weights(whole[0]), weights(tmp_path)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_policy_meets_the_rewards_it_meets_with_torch(random_model, tmp_path):
    data = questions.write(tmp_path / "asked", 12, 6)
    config = questions.configured(gold_steps=2)
    config.method.warm_start.max_steps, config.method.warm_start.total_batch_size = 3, 4
    here = train(torch_grpo, config, random_model, data, tmp_path / "here")
    there = train(grpo, replace(config, backend=THERE), random_model, data, tmp_path / "there")
    for name in ("loss", "reward", "rewards/overlap/mean", "completions/mean_length", "grad_norm", "gold/reward"):
        assert there.values(name) == pytest.approx(here.values(name), rel=1e-4, abs=1e-6) and here.values(name), name
    alike(tmp_path / "here", tmp_path / "there")


def test_a_run_from_the_command_line(trivium, random_model, tmp_path):
    """Prepared, trained there, evaluated and exported here, with nothing left behind."""
    words = ["backend=unsloth", f"backend.python={PYTHON}", f"model.path={random_model}", "model.name=small", "export=adapter"]
    small = ["dataset.world.disputed=8", "dataset.world.coordinated_only=8", "dataset.world.corrected=8"]
    quick = [
        "method.max_steps=3",
        "evaluation.suites=[small_world]",
        "evaluation.bootstrap_samples=100",
        "tracking=none",
        "arms=null",
    ]
    done = trivium(*words, *small, *quick, "arms=null", "tracking=none", "export.force=true", "hydra.run.dir=out")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["status"] == "ok" and result["metrics"]["train/steps"] == 3
    assert (tmp_path / "out" / "export").is_dir()
    assert {path.name for path in tmp_path.iterdir()} <= {"out", "data", "outputs"}
    assert "Unsloth" in (tmp_path / "out" / "processes.log").read_text()
