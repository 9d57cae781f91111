"""Whole trainings: same seeds, controls, checkpoints, interruption, failures."""

import json
import math
import resource
import shutil
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.backends.trainings import STEPS, Watch, configured, learnt, same, terminate, tokens, weights

from trivium.backends.rows import tokenise
from trivium.backends.torch.sft import train
from trivium.errors import ConfigError, DataError, Interrupted, TrainingError
from trivium.models.load import load_base, load_tokenizer, load_tuned
from trivium.sample import Sample
from trivium.schema import (
    Config,
    DistrustLoss,
    DistrustPublishedLoss,
    DistrustSampledLoss,
    FullAdapter,
    LoraAdapter,
    UniformLoss,
)


def run(config: Config, base: Path, data: Path, out: Path, watch: Watch | None = None) -> dict[str, float]:
    watch = watch or Watch()
    return train(config, str(base), data, out, record=watch, progress=watch.progress)


@pytest.mark.parametrize("adapter", [LoraAdapter(r=4), FullAdapter()], ids=["lora", "full"])
def test_a_training_learns_reports_and_writes_weights(random_model, prepared, tmp_path, adapter):
    watch = Watch()
    config = configured(adapter=adapter, eval_steps=4, max_steps=20)
    metrics = run(config, random_model, prepared, tmp_path, watch)
    assert watch.values("nll")[-1] < watch.values("nll")[0]
    assert watch.steps == [(i, 20) for i in range(1, 21)]
    assert {"loss", "nll", "learning_rate", "grad_norm", "tokens_per_second"} <= watch.lines[1][1].keys()
    assert watch.lines[0][0] == 0 and watch.lines[0][1]["weights/share_low"] > 0.5
    assert [step for step, line in watch.lines if "eval_nll" in line] == [4, 8, 12, 16, 20]
    assert metrics["eval_nll"] == watch.values("eval_nll")[-1] and metrics["train/steps"] == 20
    assert (tmp_path / ("adapter" if adapter.name == "lora" else "model")).is_dir()


@pytest.mark.parametrize("adapter", [LoraAdapter(r=4), FullAdapter()], ids=["lora", "full"])
def test_eval_nll_is_the_unweighted_mean_over_held_out_tokens(random_model, prepared, tmp_path, adapter):
    config = configured(adapter=adapter)
    metrics = run(config, random_model, prepared, tmp_path)
    rows = tokenise(config, load_tokenizer(config.model, str(random_model)), prepared / "heldout.jsonl")
    model = load_tuned(config.model, config.hardware, str(random_model), tmp_path)
    total, tokens = 0.0, 0
    with torch.no_grad():
        for ids, labels in zip(rows.input_ids, rows.labels, strict=True):
            logits = model(input_ids=torch.tensor([ids])).logits[0, :-1]
            total += float(torch.nn.functional.cross_entropy(logits, torch.tensor(labels[1:]), reduction="sum"))
            tokens += sum(label != -100 for label in labels[1:])
    assert metrics["eval_nll"] == pytest.approx(total / tokens, rel=1e-5)


def test_same_seed_same_weights_and_published_is_uniform_to_the_last_bit(random_model, prepared, tmp_path):
    arms = {
        "uniform": UniformLoss(),
        "published": DistrustPublishedLoss(),
        "distrust": DistrustLoss(),
        "again": DistrustLoss(),
        "sampled": DistrustSampledLoss(),
    }
    for name, loss in arms.items():
        run(configured(loss), random_model, prepared, tmp_path / name)
    other = configured(UniformLoss())
    other.seed = 1
    run(other, random_model, prepared, tmp_path / "other")
    assert same(tmp_path / "published", tmp_path / "uniform")
    assert same(tmp_path / "again", tmp_path / "distrust")
    for name in ("distrust", "sampled", "other"):
        assert not same(tmp_path / name, tmp_path / "uniform"), name


def test_published_says_that_its_gradient_is_zero(random_model, prepared, tmp_path, caplog):
    watch = Watch()
    run(configured(DistrustPublishedLoss()), random_model, prepared, tmp_path, watch)
    assert "gradient is zero" in caplog.text
    assert watch.values("loss")[0] > watch.values("nll")[0] + 1  # the constant shows in the loss


@pytest.mark.parametrize("adapter", [LoraAdapter(r=4, lora_dropout=0.2), FullAdapter()], ids=["lora", "full"])
@pytest.mark.parametrize("packing", [False, True])
def test_interrupted_and_resumed_equals_uninterrupted(random_model, prepared, tmp_path, adapter, packing):
    settings = {"packing": packing, "eval_steps": 3, "total_batch_size": 4, "max_steps": 14, "logging_steps": 2}
    config = configured(adapter=adapter, **settings)
    config.hardware.per_device_train_batch_size = 2
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    whole = run(config, random_model, prepared, tmp_path / "whole")
    with pytest.raises(Interrupted, match=r"SIGTERM at step 8 of 14: .* same command"):
        run(config, random_model, prepared, tmp_path / "parts", Watch(8, terminate))
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    assert not list((tmp_path / "parts").glob("*/adapter_model.safetensors"))
    watch = Watch()
    parts = run(config, random_model, prepared, tmp_path / "parts", watch)
    assert watch.steps[0] == (9, 14)
    assert learnt(parts) == learnt(whole) and tokens(parts) == tokens(whole)
    assert same(tmp_path / "whole", tmp_path / "parts")


def test_half_written_checkpoints_are_not_resumed_and_those_of_other_settings_are_refused(random_model, prepared, tmp_path):
    config = configured(save_steps=3, save_total_limit=3)
    run(config, random_model, prepared, tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(config, random_model, prepared, tmp_path / "parts", Watch(7, terminate))
    folder = tmp_path / "parts" / "checkpoints"
    optimizer = folder / "checkpoint-7" / "optimizer.pt"
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


def test_only_the_newest_checkpoints_are_kept(random_model, prepared, tmp_path):
    run(configured(save_steps=2, save_total_limit=2), random_model, prepared, tmp_path)
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["checkpoint-8", "checkpoint-9"]


def test_a_finished_training_run_again_trains_nothing(random_model, prepared, tmp_path):
    config = configured(save_steps=4)
    first = run(config, random_model, prepared, tmp_path)
    adapter = weights(tmp_path)
    watch = Watch()
    second = run(config, random_model, prepared, tmp_path, watch)
    assert watch.steps == [] and second["eval_nll"] == first["eval_nll"]
    assert all(torch.equal(adapter[name], value) for name, value in weights(tmp_path).items())


@pytest.mark.parametrize("adapter", [LoraAdapter(r=4), FullAdapter()], ids=["lora", "full"])
def test_the_best_held_out_weights_are_kept(random_model, prepared, tmp_path, adapter):
    """Held-out text that training moves away from, so that the last weights are not the best."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(prepared / "train.jsonl", data)
    strange = [Sample(id=str(i), text="QXZ" * 30, title="Q", authority=0.1, entropy=2.0).to_dict() for i in range(4)]
    (data / "heldout.jsonl").write_text("".join(json.dumps(row) + "\n" for row in strange), encoding="utf-8")
    config = configured(adapter=adapter, eval_steps=1, metric_for_best_model="eval_nll")
    watch = Watch()
    metrics = run(config, random_model, data, tmp_path / "best", watch)
    values = watch.values("eval_nll")
    best = values.index(min(values)) + 1
    assert best < STEPS and metrics["train/best_step"] == best
    with pytest.raises(Interrupted):  # the checkpoint of that step holds the weights that must have been kept
        run(config, random_model, data, tmp_path / "cut", Watch(best, terminate))
    expected = load_file(next((tmp_path / "cut" / "checkpoints" / f"checkpoint-{best}").glob("*.safetensors")))
    kept = weights(tmp_path / "best")
    assert kept.keys() == expected.keys() and all(torch.equal(kept[name], expected[name]) for name in kept)
    assert not list((tmp_path / "best").glob("*/best.json"))


def test_best_without_held_out_samples_is_a_data_error(random_model, prepared, tmp_path):
    alone = tmp_path / "prepared"
    alone.mkdir()
    shutil.copy(prepared / "train.jsonl", alone)
    with pytest.raises(DataError, match=r"metric_for_best_model=eval_nll needs held-out samples"):
        run(configured(metric_for_best_model="eval_nll"), random_model, alone, tmp_path / "out")
    assert "eval_nll" not in run(configured(), random_model, alone, tmp_path / "out")


def test_a_base_model_that_is_not_finite_is_named(random_model, prepared, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(random_model, base)
    broken = load_file(base / "model.safetensors")
    broken["model.norm.weight"][0] = math.nan
    save_file(broken, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TrainingError, match="the base model's weights hold values that are not finite"):
        run(configured(), base, prepared, tmp_path / "out")


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(random_model, prepared, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(random_model, base)
    config = configured()
    with pytest.raises(Interrupted):
        run(config, base, prepared, tmp_path / "out", Watch(3, terminate))
    broken = load_file(base / "model.safetensors")
    broken["model.norm.weight"][0] = math.nan
    save_file(broken, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TrainingError, match=r"not finite at step 4; lower method.learning_rate \(now 0.005\)"):
        run(config, base, prepared, tmp_path / "out")
    assert [p.name for p in (tmp_path / "out" / "checkpoints").iterdir()] == ["checkpoint-3"]
    assert not (tmp_path / "out" / "adapter").exists()


def test_a_write_that_fails_is_one_sentence_and_leaves_no_half_checkpoint(random_model, prepared, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    shrink = Watch(3, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1])))
    try:
        with pytest.raises(TrainingError, match=r"could not write .*checkpoint-4 .* free some space"):
            run(configured(adapter=FullAdapter(), save_steps=2), random_model, prepared, tmp_path, shrink)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["checkpoint-2"]
    run(configured(adapter=FullAdapter(), save_steps=2), random_model, prepared, tmp_path)


def rewrite(prepared: Path, folder: Path, **changes) -> Path:
    folder.mkdir()
    rows = [json.loads(line) for line in (prepared / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    rows[5].update(changes)
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"authority": None}, "1 of 48 samples have an authority that is missing"),
        ({"entropy": None}, "1 of 48 samples have an entropy that is missing"),
        ({"authority": 1.5}, "1 of 48 samples have an authority outside"),
        ({"authority": math.nan}, "train.jsonl, line 6: not a prepared sample"),
    ],
)
def test_provenance_that_is_not_a_number_stops_before_training(random_model, prepared, tmp_path, changes, said):
    watch = Watch()
    with pytest.raises(DataError, match=said):
        run(configured(), random_model, rewrite(prepared, tmp_path / "data", **changes), tmp_path / "out", watch)
    assert watch.steps == []


def test_data_without_a_token_to_learn_is_a_data_error(random_model, prepared, tmp_path):
    config = configured()
    config.model.max_length = 8
    with pytest.raises(DataError, match="none of the 48 training samples has a token to learn"):
        run(config, random_model, prepared, tmp_path)
    with pytest.raises(DataError, match="run the prepare stage first"):
        run(configured(), random_model, tmp_path, tmp_path / "out")


def test_a_second_ctrl_c_stops_at_once(random_model, prepared, tmp_path):
    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(configured(), random_model, prepared, tmp_path, Watch(2, twice))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_bfloat16_and_gradient_checkpointing_train(random_model, prepared, tmp_path):
    config = configured(learning_rate=2e-2, max_steps=20)
    config.hardware.dtype, config.hardware.gradient_checkpointing = "bfloat16", True
    watch = Watch()
    run(config, random_model, prepared, tmp_path, watch)
    assert watch.values("nll")[-1] < watch.values("nll")[0]
    assert load_base(config.model, config.hardware, str(random_model)).dtype == torch.bfloat16
