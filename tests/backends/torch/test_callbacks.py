"""What a training on PyTorch shows and measures while it lasts, and that neither this nor rest changes a weight."""

import threading
import time
from pathlib import Path

import pytest
from tests.backends.trainings import STEPS, Watch, configured, same, terminate, tokens

from trivium.backends import alerts
from trivium.backends.rows import tokenise
from trivium.backends.torch.sft import train
from trivium.errors import Interrupted, NotFinite
from trivium.models.load import load_tokenizer
from trivium.schema import Config, DistrustPublishedLoss, FullAdapter
from trivium.tracking import JsonlTracker

MEASURES = {"system/peak_memory_gb", "system/train_seconds", "system/tokens_per_second"}


def run(config: Config, base: Path, data: Path, out: Path, watch: Watch | None = None) -> dict[str, float]:
    watch = watch or Watch()
    return train(config, str(base), data, out, record=watch, progress=watch.progress)


def test_lines_and_progress_hold_speed_memory_and_loss(random_model, prepared, tmp_path):
    watch = Watch()
    metrics = run(configured(), random_model, prepared, tmp_path, watch)
    lines = [line for _, line in watch.lines if "loss" in line]
    assert all(line["tokens_per_second"] > 0 and line["system/peak_memory_gb"] >= 0 for line in lines)
    assert {"loss", "nll", "tokens_per_second", "system/peak_memory_gb"} <= watch.shown.keys()
    assert metrics.keys() >= MEASURES
    assert metrics["system/peak_memory_gb"] >= lines[-1]["system/peak_memory_gb"]


def test_tokens_are_those_that_the_batches_hold(random_model, prepared, tmp_path):
    config = configured(total_batch_size=1, max_steps=48)
    rows = tokenise(config, load_tokenizer(config.model, str(random_model)), prepared / "train.jsonl")
    assert tokens(run(config, random_model, prepared, tmp_path)) == sum(map(len, rows.input_ids))


def test_the_published_losss_terms_are_told_and_make_up_the_loss(random_model, prepared, tmp_path):
    watch = Watch()
    run(configured(loss=DistrustPublishedLoss(), logging_steps=1), random_model, prepared, tmp_path, watch)
    for line in (line for _, line in watch.lines if "loss" in line):
        assert line["loss/cross_entropy"] == pytest.approx(line["nll"], rel=1e-6)
        assert line["loss/cross_entropy"] + line["loss/distrust"] == pytest.approx(line["loss"], rel=1e-5)
        assert line["loss/distrust"] > 0.1
    watch = Watch()
    run(configured(), random_model, prepared, tmp_path / "one", watch)
    assert not [name for _, line in watch.lines for name in line if name.startswith("loss/")]


def test_seconds_and_memory_before_an_interruption_count(random_model, prepared, tmp_path):
    def slow() -> None:
        time.sleep(1.0)
        terminate()

    with pytest.raises(Interrupted):
        run(configured(), random_model, prepared, tmp_path, Watch(5, slow))
    began = time.perf_counter()
    metrics = run(configured(), random_model, prepared, tmp_path)
    assert metrics["system/train_seconds"] > 1.0
    assert metrics["system/train_seconds"] < time.perf_counter() - began + 5.0
    again = run(configured(save_steps=4), random_model, prepared, tmp_path / "again")
    for _ in range(2):  # nothing is left to train, so nothing is added
        assert tokens(run(configured(save_steps=4), random_model, prepared, tmp_path / "again")) == tokens(again)


def test_rest_takes_its_share_and_changes_no_weight(random_model, prepared, tmp_path):
    run(configured(), random_model, prepared, tmp_path / "fresh")
    config = configured()
    config.hardware.throttle = 0.8
    watch = Watch(3, lambda: time.sleep(0.5))
    metrics = run(config, random_model, prepared, tmp_path / "rested", watch)
    assert metrics["system/train_seconds"] > 0.5 / 0.2
    assert same(tmp_path / "fresh", tmp_path / "rested")


def test_a_stop_during_a_rest_is_heeded_before_the_next_step(random_model, prepared, tmp_path):
    config = configured()
    config.hardware.throttle = 0.9
    timers: list[threading.Timer] = []

    def slow() -> None:
        time.sleep(1.0)  # nine seconds of rest follow
        timers.append(threading.Timer(0.2, terminate))
        timers[0].start()

    began = time.perf_counter()
    with pytest.raises(Interrupted, match=f"SIGTERM at step 3 of {STEPS}"):
        run(config, random_model, prepared, tmp_path, Watch(3, slow))
    timers[0].join()
    assert time.perf_counter() - began < 8


def diverging(adapter=None) -> Config:
    config = configured(adapter=adapter, max_steps=25, logging_steps=1, learning_rate=3.0, max_grad_norm=0.0)
    config.method.lr_scheduler_type = "constant"
    return config


def test_a_training_that_diverges_is_told_while_it_lasts(random_model, prepared, tmp_path):
    said: list[str] = []
    config, tracker = diverging(FullAdapter()), JsonlTracker(tmp_path)
    with alerts.watching(config, tracker, lambda *_: None, said.append, tmp_path) as guard:
        train(config, str(random_model), prepared, tmp_path, record=guard, progress=guard.progress)
    assert guard.found.keys() == {"alerts/divergence"} and len(said) == 1
    assert guard.found["alerts/divergence"] < 20


def test_a_loss_that_is_not_finite_is_told_apart(random_model, prepared, tmp_path):
    config = configured(learning_rate=1e30, max_grad_norm=0.0)
    with pytest.raises(NotFinite, match=r"not finite at step [23]"):
        run(config, random_model, prepared, tmp_path)
