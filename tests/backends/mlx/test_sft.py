"""Whole trainings on MLX: as PyTorch's step by step, the same when they are interrupted, and safe when they fail."""

import json
import math
import resource
import shutil
import time
from pathlib import Path

import mlx.core as mx
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.backends.trainings import STEPS, Watch, configured, learnt, same, terminate, tokens, weights
from tests.export import shapes

from trivium.backends.mlx import sft, start
from trivium.backends.torch import sft as torch_sft
from trivium.errors import ConfigError, DataError, Interrupted, Pruned, TrainingError
from trivium.evaluation import EvalItems, evaluate
from trivium.evaluation import mlx as on_mlx
from trivium.evaluation import torch as on_torch
from trivium.evaluation.probe import Watch as Probe
from trivium.evaluation.suites import Item, Option, Part
from trivium.models import mlx
from trivium.sample import Sample
from trivium.schema import (
    Config,
    DistrustLoss,
    DistrustPublishedLoss,
    DistrustSampledLoss,
    EvaluationConfig,
    FullAdapter,
    LoraAdapter,
    ModelConfig,
    QloraAdapter,
    UniformLoss,
)

BOTH = pytest.mark.parametrize("adapter", [LoraAdapter(r=4, lora_dropout=0.1), FullAdapter()], ids=["lora", "full"])
MEASURED = ("loss", "nll", "grad_norm", "learning_rate", "mean_token_accuracy", "eval_nll", "eval_loss")


def run(config: Config, base: Path, data: Path, out: Path, seen: Watch | None = None, on=sft, **more) -> dict[str, float]:
    seen = seen or Watch()
    found = on.train(config, str(base), data, out, record=seen, progress=seen.progress, **more)
    found.pop("system/peak_memory_gb", None)
    return found


def curves(config: Config, base: Path, data: Path, out: Path) -> dict[str, dict[str, list[float]]]:
    """Every measured line of the same training on both backends."""
    found = {}
    for name, on in (("torch", torch_sft), ("mlx", sft)):
        watch = Watch()
        run(config, base, data, out / name, watch, on)
        found[name] = {metric: watch.values(metric) for metric in MEASURED}
    return found


def parity(shape: str, steps: int, data: Path, out: Path, **method) -> float:
    """The largest difference of the loss between the backends; LoRA, weighted, clipped, warmed up, accumulated."""
    shapes.make(shape, out / "base", hidden=64)
    settings = {"learning_rate": 5e-3, "max_grad_norm": 0.5, "warmup_ratio": 0.2, "logging_steps": 1, "eval_steps": 10}
    config = configured(DistrustLoss(), LoraAdapter(r=4), **{"max_steps": steps, **settings, **method})
    found = curves(config, out / "base", data, out)
    for metric in ("learning_rate", "mean_token_accuracy"):
        assert found["mlx"][metric] == pytest.approx(found["torch"][metric], abs=1e-3)
    assert found["mlx"]["grad_norm"] == pytest.approx(found["torch"]["grad_norm"], rel=1e-2)
    assert max(found["mlx"]["grad_norm"]) > 0.5 > 0, "clipping is never put to the test"
    assert found["mlx"]["nll"][-1] < found["mlx"]["nll"][0] - 0.5
    return max(
        abs(a - b) for name in ("loss", "eval_nll") for a, b in zip(found["torch"][name], found["mlx"][name], strict=True)
    )


@pytest.mark.slow
@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_forty_steps_are_those_of_pytorch(shape, prepared, tmp_path):
    assert parity(shape, 40, prepared, tmp_path) < 1e-4


@pytest.mark.parametrize("kind", ["cosine", "linear", "constant", "constant_with_warmup"])
def test_a_few_steps_are_those_of_pytorch_under_every_schedule(kind, prepared, tmp_path):
    assert parity("qwen3", 6, prepared, tmp_path, lr_scheduler_type=kind, eval_steps=4) < 1e-4


@pytest.mark.parametrize("loss", [UniformLoss(), DistrustPublishedLoss(), DistrustSampledLoss()], ids=lambda loss: loss.name)
def test_every_loss_is_that_of_pytorch(loss, random_model, prepared, tmp_path):
    config = configured(loss, LoraAdapter(r=4, use_rslora=True), max_steps=4, logging_steps=1, weight_decay=0.1)
    found = curves(config, random_model, prepared, tmp_path)
    assert found["mlx"]["loss"] == pytest.approx(found["torch"]["loss"], abs=1e-4)


def test_every_weight_is_trained_as_by_pytorch(random_model, prepared, tmp_path):
    config = configured(adapter=FullAdapter(), max_steps=6, logging_steps=1, weight_decay=0.5, learning_rate=2e-3)
    found = curves(config, random_model, prepared, tmp_path)
    assert found["mlx"]["loss"] == pytest.approx(found["torch"]["loss"], abs=1e-4)
    trained = {name: weights(tmp_path / name) for name in ("torch", "mlx")}
    assert trained["torch"].keys() == trained["mlx"].keys()
    assert all(trained["torch"][name].allclose(trained["mlx"][name], atol=1e-4) for name in trained["torch"])
    answers = [
        evaluate(room.respondent(config, str(random_model), tmp_path / "mlx"), asked(), EvaluationConfig(max_new_tokens=4))
        for room in (on_mlx, on_torch)
    ]
    assert alike(*answers)


def test_weights_that_their_files_hold_otherwise_are_not_trained_as_a_whole(random_model, prepared, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(random_model, base)
    tensors = load_file(base / "model.safetensors")
    tensors["model.renamed.weight"] = tensors.pop("model.norm.weight")
    loaded = mlx.load(ModelConfig(), str(random_model))
    save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"adapter=full: MLX-LM arranges the weights of .* choose adapter=lora"):
        mlx.whole_writer(loaded, ModelConfig(), str(base))


def test_the_model_around_which_an_adapter_is_made_takes_no_memory(random_model):
    skeleton = start._skeleton(ModelConfig(), str(random_model), torch.float32)
    assert sum(weight.numel() for weight in skeleton.parameters()) > 10_000
    assert sum(weight.untyped_storage().nbytes() for weight in skeleton.parameters()) < 200


def test_a_new_adapter_is_pytorchs_to_the_last_bit(random_model, prepared, tmp_path):
    for on in (torch_sft, sft):
        run(
            configured(max_steps=1, lr_scheduler_type="linear", warmup_ratio=0.9),
            random_model,
            prepared,
            tmp_path / on.__name__,
            on=on,
        )
    assert same(tmp_path / torch_sft.__name__, tmp_path / sft.__name__), "a first step at rate 0 changes nothing"
    configs = [json.loads((tmp_path / on.__name__ / "adapter/adapter_config.json").read_text()) for on in (torch_sft, sft)]
    assert {**configs[0], "target_modules": sorted(configs[0]["target_modules"])} == configs[1]


@BOTH
def test_interrupted_and_resumed_equals_uninterrupted(random_model, prepared, tmp_path, adapter):
    config = configured(adapter=adapter, eval_steps=3, total_batch_size=4, max_steps=11, logging_steps=3, weight_decay=0.01)
    config.hardware.per_device_train_batch_size = 2
    whole = run(config, random_model, prepared, tmp_path / "whole")
    with pytest.raises(Interrupted, match=r"SIGTERM at step 5 of 11: .* same command"):
        run(config, random_model, prepared, tmp_path / "parts", Watch(5, terminate))
    watch = Watch()
    parts = run(config, random_model, prepared, tmp_path / "parts", watch)
    assert watch.steps[0] == (6, 11)
    assert learnt(parts) == learnt(whole) and tokens(parts) == tokens(whole)
    assert same(tmp_path / "whole", tmp_path / "parts")


def test_half_written_checkpoints_are_not_resumed_and_those_of_other_settings_are_refused(random_model, prepared, tmp_path):
    config = configured(save_steps=3, save_total_limit=3)
    run(config, random_model, prepared, tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(config, random_model, prepared, tmp_path / "parts", Watch(7, terminate))
    folder = tmp_path / "parts" / "checkpoints"
    optimizer = folder / "checkpoint-7" / "optimizer.safetensors"
    optimizer.write_bytes(optimizer.read_bytes()[:100])  # cut short
    shutil.copytree(folder / "checkpoint-6", folder / "checkpoint-8")
    (folder / "checkpoint-8" / "complete.json").unlink()  # never finished
    watch = Watch()
    run(config, random_model, prepared, tmp_path / "parts", watch)
    assert watch.steps[0] == (7, STEPS)
    assert same(tmp_path / "whole", tmp_path / "parts")
    config.method.learning_rate = 1e-3
    with pytest.raises(ConfigError, match="unfinished training"):
        run(config, random_model, prepared, tmp_path / "parts")


def test_a_checkpoint_of_pytorch_is_not_taken_up(random_model, prepared, tmp_path):
    config = configured(save_steps=3)
    run(config, random_model, prepared, tmp_path, on=torch_sft)
    config.backend.name = "mlx"
    with pytest.raises(ConfigError, match="unfinished training"):
        run(config, random_model, prepared, tmp_path)


def test_it_reports_and_measures_as_pytorch_does(random_model, prepared, tmp_path):
    seen, told = {}, {}
    config = configured(loss=DistrustPublishedLoss(), eval_steps=4, max_steps=10, save_steps=3, logging_steps=1)
    for on in (torch_sft, sft):
        watch = Watch()
        told[on] = run(config, random_model, prepared, tmp_path / on.__name__, watch, on)
        seen[on] = [(step, set(line)) for step, line in watch.lines]
        steps = [step for step, _ in watch.steps]
        assert steps == list(range(1, 11))
    assert seen[sft] == seen[torch_sft]
    assert told[sft].keys() == told[torch_sft].keys()
    assert watch.values("loss/distrust")[-1] + watch.values("nll")[-1] == pytest.approx(watch.values("loss")[-1], rel=1e-5)
    assert watch.shown["system/peak_memory_gb"] > 0
    kept = sorted(path.name for path in (tmp_path / sft.__name__ / "checkpoints").iterdir())
    assert kept == sorted(path.name for path in (tmp_path / torch_sft.__name__ / "checkpoints").iterdir())


def test_seconds_and_memory_before_an_interruption_count_and_rest_changes_nothing(random_model, prepared, tmp_path):
    def slow() -> None:
        time.sleep(1.0)
        terminate()

    run(configured(), random_model, prepared, tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(configured(), random_model, prepared, tmp_path / "parts", Watch(5, slow))
    config = configured()
    config.hardware.throttle = 0.5
    metrics = run(config, random_model, prepared, tmp_path / "parts")
    assert 1.0 < metrics["system/train_seconds"] < 60
    assert same(tmp_path / "whole", tmp_path / "parts")


@BOTH
def test_the_best_held_out_weights_are_kept(random_model, prepared, tmp_path, adapter):
    """Held-out text that training moves away from, so that the last weights are not the best."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(prepared / "train.jsonl", data)
    strange = [Sample(id=str(i), text="QXZ" * 30, title="Q", authority=0.1, entropy=2.0).to_dict() for i in range(4)]
    (data / "heldout.jsonl").write_text("".join(json.dumps(row) + "\n" for row in strange), encoding="utf-8")
    config = configured(adapter=adapter, eval_steps=1, metric_for_best_model="eval_nll", learning_rate=2e-2)
    watch = Watch()
    metrics = run(config, random_model, data, tmp_path / "best", watch)
    values = watch.values("eval_nll")
    best = values.index(min(values)) + 1
    assert best < STEPS and metrics["train/best_step"] == best
    config.method.max_steps, config.method.lr_scheduler_type = best, "constant"
    assert not list((tmp_path / "best").glob("*/best.json"))
    again = configured(adapter=adapter, eval_steps=1, metric_for_best_model="eval_nll", learning_rate=2e-2)
    run(again, random_model, data, tmp_path / "again")
    assert same(tmp_path / "best", tmp_path / "again")


def asked() -> EvalItems:
    options = tuple(Option(f"{100 + i} metres") for i in range(3))
    names = ("comet", "quarry", "lantern")
    choices = tuple(Item(f"c{i}", f"the depth of the {name}", options, i % 3) for i, name in enumerate(names))
    levels = {"marginal": 0.5, "good": 0.6, "excellent": 0.7}
    documents = [Sample(f"d{i}", f"a notebook gives the depth of the {name} as 9 metres") for i, name in enumerate(names)]
    return EvalItems([Part("chosen", "choice", levels, choices), Part("told", "recall", levels, choices)], {"low": documents})


def test_a_look_changes_nothing_and_sees_what_both_backends_see_in_the_saved_weights(random_model, prepared, tmp_path):
    config, evaluation, seen = configured(max_steps=6, warmup_ratio=0.0), EvaluationConfig(max_new_tokens=4), []

    def look(respondent, step) -> None:
        seen.append((step, evaluate(respondent, asked(), evaluation)))
        mx.random.uniform(shape=(step,))
        if len(seen) == 2:
            terminate()

    run(config, random_model, prepared, tmp_path / "blind")
    run(config, random_model, prepared, tmp_path / "watched", watch=Probe(3, look))
    assert [step for step, _ in seen] == [3]
    assert same(tmp_path / "blind", tmp_path / "watched")
    config = configured(max_steps=6, warmup_ratio=0.0, lr_scheduler_type="constant")
    with pytest.raises(Interrupted):
        run(config, random_model, prepared, tmp_path / "cut", watch=Probe(3, look))
    config.method.max_steps = 3
    run(config, random_model, prepared, tmp_path / "short")
    for room in (on_mlx, on_torch):
        expected = evaluate(room.respondent(config, str(random_model), tmp_path / "short"), asked(), evaluation)
        assert alike(seen[1][1], expected)


def alike(a, b) -> bool:
    """The same answers, and texts equally surprising but for a thousandth of a nat."""
    nats = [abs(reading.nats - b.readings["low"][name].nats) for name, reading in a.readings["low"].items()]
    return max(nats) < 1e-3 and a.items == b.items


def test_a_training_that_is_given_up_leaves_no_checkpoint(random_model, prepared, tmp_path):
    def look(respondent, step) -> None:
        raise Pruned("hopeless")

    watch, config = Watch(), configured(save_steps=1)
    with pytest.raises(Pruned):
        sft.train(config, str(random_model), prepared, tmp_path, record=watch, progress=watch.progress, watch=Probe(3, look))
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize("bits", [4, 8])
def test_an_adapter_learns_on_a_quantised_base(bits, prepared, tmp_path):
    shapes.make("llama_tied", tmp_path / "base", hidden=64, layers=1)
    firsts = {}
    for adapter in (LoraAdapter(r=4), QloraAdapter(r=4, bits=bits, group_size=32)):
        config, watch = configured(adapter=adapter, max_steps=6, logging_steps=1, total_batch_size=4), Watch()
        run(config, tmp_path / "base", prepared, tmp_path / adapter.name, watch)
        firsts[adapter.name] = watch.values("nll")[0]
        assert watch.values("nll")[-1] < watch.values("nll")[0] - 0.1
    assert firsts["lora"] != firsts["qlora"] and firsts["qlora"] == pytest.approx(firsts["lora"], rel=0.1)
    written = {path.name for path in (tmp_path / "qlora" / "adapter").iterdir()}
    assert written == {"adapter_config.json", "adapter_model.safetensors"}


def test_a_base_too_narrow_to_be_quantised_is_told(random_model, prepared, tmp_path):
    with pytest.raises(ConfigError, match="group_size=64 divides the width of no layer"):
        run(configured(adapter=QloraAdapter()), random_model, prepared, tmp_path)


@pytest.mark.parametrize("adapter", [LoraAdapter(r=4, lora_dropout=0.5), FullAdapter()], ids=["lora", "full"])
def test_activations_computed_again_change_nothing(random_model, prepared, tmp_path, adapter, monkeypatch):
    """The same layers with and without MLX's checkpoints: what dropout draws the second time must be what it drew first."""
    found = []
    for checkpoint in (mx.checkpoint, lambda function: function):
        monkeypatch.setattr(mx, "checkpoint", checkpoint)
        config, watch = configured(adapter=adapter, max_steps=4, logging_steps=1), Watch()
        config.hardware.gradient_checkpointing = True
        run(config, random_model, prepared, tmp_path / str(len(found)), watch)
        found.append(watch.values("grad_norm"))
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_bfloat16_learns(random_model, prepared, tmp_path):
    config = configured(learning_rate=2e-2, max_steps=20)
    config.hardware.dtype, config.hardware.gradient_checkpointing = "bfloat16", True
    watch = Watch()
    run(config, random_model, prepared, tmp_path, watch)
    assert watch.values("nll")[-1] < watch.values("nll")[0]


def broken(base: Path, folder: Path) -> Path:
    """The base with one weight that is no number."""
    shutil.copytree(base, folder, dirs_exist_ok=True)
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"][0] = math.nan
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_a_base_model_that_is_not_finite_is_named(random_model, prepared, tmp_path):
    with pytest.raises(TrainingError, match="the base model's weights hold values that are not finite"):
        run(configured(), broken(random_model, tmp_path / "base"), prepared, tmp_path / "out")


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(random_model, prepared, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(random_model, base)
    with pytest.raises(Interrupted):
        run(configured(), base, prepared, tmp_path / "out", Watch(3, terminate))
    broken(random_model, base)
    with pytest.raises(TrainingError, match=r"not finite at step 4; lower method.learning_rate \(now 0.005\)"):
        run(configured(), base, prepared, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out" / "checkpoints").iterdir()] == ["checkpoint-3"]
    assert not (tmp_path / "out" / "adapter").exists()


def test_a_write_that_fails_is_one_sentence_and_leaves_no_half_checkpoint(random_model, prepared, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    shrink = Watch(3, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1])))
    try:
        with pytest.raises(TrainingError, match=r"could not write .*checkpoint-4 .* free some space"):
            run(configured(adapter=FullAdapter(), save_steps=2), random_model, prepared, tmp_path, shrink)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["checkpoint-2"]
    run(configured(adapter=FullAdapter(), save_steps=2), random_model, prepared, tmp_path)


def test_a_training_gives_its_memory_back_whether_it_ends_well_or_not(random_model, prepared, tmp_path):
    run(configured(max_steps=1), random_model, prepared, tmp_path / "first")
    before = mx.get_active_memory()
    run(configured(max_steps=1, total_batch_size=4), random_model, prepared, tmp_path / "second")
    with pytest.raises(Interrupted) as kept:
        run(configured(), random_model, prepared, tmp_path / "third", Watch(2, terminate))
    assert mx.get_active_memory() <= before + 4096 and kept.value.exit_code == 1


def test_data_without_a_token_to_learn_is_a_data_error(random_model, prepared, tmp_path):
    config = configured()
    config.model.max_length = 8
    with pytest.raises(DataError, match="none of the 48 training samples has a token to learn"):
        run(config, random_model, prepared, tmp_path)
