"""Adapters on a quantised base: bitsandbytes computes on the CPU too, so all of it runs without an accelerator."""

import importlib
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.backends.trainings import STEPS, Watch, configured, same, terminate, weights

from trivium.backends.shape import numeric
from trivium.backends.torch.sft import build, train
from trivium.errors import ConfigError, Interrupted
from trivium.models.adapters import attach
from trivium.models.load import load_base, load_trainable, load_tuned
from trivium.models.quantised import for_evaluation
from trivium.schema import Config, HardwareConfig, LoraAdapter, ModelConfig, QloraAdapter

pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")

FORMS = {
    "nf4": QloraAdapter(r=4),
    "fp4": QloraAdapter(r=4, quant_type="fp4", double_quant=False),
    "int8": QloraAdapter(r=4, bits=8),
}


def run(config: Config, base: Path, data: Path, out: Path, watch: Watch | None = None) -> dict[str, float]:
    watch = watch or Watch()
    return train(config, str(base), data, out, record=watch, progress=watch.progress)


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(input_ids=torch.arange(40, 72)[None]).logits


def base(folder: Path, adapter: LoraAdapter | None = None, **hardware: object) -> torch.nn.Module:
    return load_base(ModelConfig(), HardwareConfig(**hardware), str(folder), adapter)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_only_the_linear_layers_are_quantised_and_not_by_much(random_model: Path, form: str, dtype: str) -> None:
    adapter, plain, made = FORMS[form], base(random_model, dtype=dtype), base(random_model, FORMS[form], dtype=dtype)
    kinds = {
        name.split(".")[-2]: weight.dtype for name, weight in made.state_dict(keep_vars=True).items() if name[-6:] == "weight"
    }
    assert kinds["up_proj"] == kinds["q_proj"] == (torch.int8 if adapter.bits == 8 else torch.uint8)
    assert kinds["lm_head"] == kinds["embed_tokens"] == kinds["norm"] == getattr(torch, dtype)
    error = (logits(made) - logits(plain)).abs().mean() / logits(plain).abs().mean()
    assert 0 < error < (0.02 if adapter.bits == 8 else 0.2)


@pytest.mark.parametrize(("form", "checkpointing"), [("nf4", True), ("fp4", False), ("int8", True)])
def test_an_adapter_learns_on_a_quantised_base(
    random_model: Path, prepared: Path, tmp_path: Path, form: str, checkpointing: bool
) -> None:
    watch, config = Watch(), configured(adapter=FORMS[form], max_steps=14, logging_steps=1)
    config.hardware.gradient_checkpointing = checkpointing
    run(config, random_model, prepared, tmp_path, watch)
    nll = watch.values("nll")
    assert all(map(torch.isfinite, torch.tensor(nll))) and sum(nll[-3:]) < sum(nll[:3]) - 0.3
    assert {tensor.dtype for tensor in weights(tmp_path).values()} == {torch.float32}
    plain = load_tuned(config.model, config.hardware, str(random_model), tmp_path)
    quantised = load_trainable(config.model, config.hardware, str(random_model), tmp_path, config.adapter)
    untuned = logits(base(random_model))
    moved, error = (logits(plain) - untuned).abs().mean(), (logits(plain) - logits(quantised)).abs().mean()
    assert error < moved / 2


def test_recomputed_activations_change_nothing(random_model: Path, prepared: Path, tmp_path: Path) -> None:
    for name, checkpointing in (("kept", False), ("recomputed", True)):
        config = configured(adapter=FORMS["nf4"])
        config.hardware.gradient_checkpointing = checkpointing
        run(config, random_model, prepared, tmp_path / name)
    first, second = weights(tmp_path / "kept"), weights(tmp_path / "recomputed")
    assert all(torch.allclose(first[name], second[name], atol=1e-5) for name in first)


def test_an_interrupted_training_goes_on_to_the_same_weights(random_model: Path, prepared: Path, tmp_path: Path) -> None:
    config = configured(adapter=FORMS["nf4"])
    run(config, random_model, prepared, tmp_path / "whole")
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted):
        run(config, random_model, prepared, tmp_path / "parts", Watch(4, terminate))
    assert signal.getsignal(signal.SIGTERM) is before
    watch = Watch()
    run(config, random_model, prepared, tmp_path / "parts", watch)
    assert watch.steps[0][0] > 4 and watch.steps[-1] == (STEPS, STEPS)
    assert same(tmp_path / "whole", tmp_path / "parts")


def test_building_a_trainer_leaves_the_adapter_as_exact_as_it_was(random_model: Path, prepared: Path, tmp_path: Path) -> None:
    config = configured(adapter=FORMS["nf4"])
    exact = attach(base(random_model), replace(FORMS["nf4"]), config.seed)
    trainer, _ = build(config, str(random_model), prepared, tmp_path)
    expected = {name: p for name, p in exact.named_parameters() if p.requires_grad}
    found = {name: p for name, p in trainer.model.named_parameters() if p.requires_grad}
    assert found.keys() == expected.keys()
    assert all(p.dtype == torch.float32 and torch.equal(p, expected[name]) for name, p in found.items())


@pytest.mark.parametrize("backend", ["torch", "mlx"])
def test_models_are_measured_over_the_plain_base_unless_that_does_not_fit(
    random_model: Path, prepared: Path, tmp_path: Path, backend: str
) -> None:
    pytest.importorskip("mlx.core" if backend == "mlx" else "torch")
    config = configured(adapter=replace(FORMS["nf4"], group_size=32), max_steps=2)
    run(config, random_model, prepared, tmp_path)
    room = importlib.import_module(f"trivium.evaluation.{backend}")
    for quantised in (False, True):
        config.hardware.eval_quantised = quantised
        for trained in (None, tmp_path):
            model = room.respondent(config, str(random_model), trained)._model
            kinds = {
                type(getattr(module, "base_layer", getattr(module, "linear", module))).__name__ for module in model.modules()
            }
            assert bool(kinds & {"Linear4bit", "QuantizedLinear"}) == quantised, kinds
    assert numeric(config.hardware) == numeric(replace(config.hardware, eval_quantised=False))
    assert for_evaluation(replace(config, adapter=LoraAdapter())) is None


def test_target_modules_that_match_nothing_are_told_with_what_there_is(random_model: Path) -> None:
    with pytest.raises(ConfigError, match=r"use all-linear or some of \[.*'q_proj'"):
        attach(base(random_model, FORMS["nf4"]), QloraAdapter(target_modules=["nosuch"]), seed=0)
