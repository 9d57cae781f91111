"""Supervised fine-tuning on TRL: cross-entropy, plain or weighted by provenance, from a prepared folder to an adapter."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from trl import SFTConfig, pack_dataset

from trivium.artifact import file_hash, key_of
from trivium.backends.torch import checkpoints
from trivium.backends.torch.arguments import batch_shape, common_arguments
from trivium.backends.torch.callbacks import KeepBest, Progress, Reporter, StopOnSignal
from trivium.backends.torch.careful import CarefulTrainer
from trivium.backends.torch.dataset import Rows, to_dataset, tokenise
from trivium.backends.torch.interrupt import Stop, graceful_stop
from trivium.backends.torch.trainer import ProvenanceTrainer
from trivium.backends.torch.watch import Watcher, freed
from trivium.errors import ConfigError, DataError, Interrupted, TrainingError
from trivium.evaluation.probe import Watch
from trivium.maths.weights import Floats, Ints, Policy, draw, order, policy, weight_report
from trivium.models.adapters import attach
from trivium.models.load import MODEL_DIR, load_base, load_tokenizer, weights_dir
from trivium.models.quiet import quiet
from trivium.schema import Config, FullAdapter, SftMethod
from trivium.tracking import Recorder

logger = logging.getLogger(__name__)

CHECKPOINTS, BEST = "checkpoints", "best"


@dataclass
class Corpus:
    """What is trained on: the rows, what the loss does to them, the dataset and its order over the whole training."""

    rows: Rows
    policy: Policy
    dataset: Any
    order: Ints
    steps: int
    held_out: Any | None

    def sample_weights(self) -> Floats:
        """How much each row counts (N,), mean 1: its weight, or how often it is drawn relative to evenly."""
        found = self.policy.probabilities
        return self.policy.weights if found is None else found * len(found)

    def weight_metrics(self) -> dict[str, float]:
        """Effective sample size, band shares and largest ratio, as `weights/…`; nothing for rows without provenance."""
        if None in self.rows.authority:
            return {}
        return weight_report(self.sample_weights(), np.asarray(self.rows.authority, np.float64), self.rows.supervised)


@freed()
def train(
    config: Config,
    base: str,
    prepared: Path,
    out: Path,
    *,
    record: Recorder,
    progress: Progress,
    watch: Watch | None = None,
) -> dict[str, float]:
    """Fine-tune `base` on `prepared/train.jsonl`; returns the final metrics.

    Writes `out/adapter` (PEFT) or `out/model` (every weight), and `out/checkpoints`, from which a training of the same
    settings goes on exactly where it stopped. Raises `DataError`, `ModelError`, `ConfigError`, `TrainingError` when the loss
    is not finite or the disk is full, and `Interrupted` after SIGTERM or Ctrl-C, with a checkpoint saved. `Pruned`, which
    `watch` may raise, passes through; no checkpoint is kept then.
    """
    with graceful_stop() as stop, quiet(), memory_explained(config):
        trainer, corpus = build(config, base, prepared, out / CHECKPOINTS)
        if corpus.policy.notice:
            logger.warning(corpus.policy.notice)
        weights = corpus.weight_metrics()
        record.metrics(weights, 0)
        keeper = _install(trainer, config.method, Reporter(record.metrics, progress), stop)
        if watch is not None:
            trainer.add_callback(Watcher(watch, config, trainer.processing_class))
        metrics = _run(trainer, keeper, stop)
        write_weights(trainer, out / weights_dir(config.adapter), keeper)
    return {**weights, **metrics, "train/samples": float(len(corpus.rows)), "train/dropped": float(corpus.rows.dropped)}


def build(config: Config, base: str, prepared: Path, folder: Path) -> tuple[ProvenanceTrainer, Corpus]:
    """The trainer, ready to run, and its corpus; `folder` takes the checkpoints."""
    batch_shape(config.method, config.hardware)  # one that does not fit is told before the model is loaded
    if config.hardware.dtype == "float16" and (isinstance(config.adapter, FullAdapter) or config.hardware.device == "cpu"):
        raise ConfigError(
            "hardware.dtype=float16 trains only adapters, on an accelerator (its gradients need scaling); use bfloat16 or "
            "float32."
        )
    tokenizer = load_tokenizer(config.model, base)
    corpus = _corpus(config, tokenizer, prepared)
    model = attach(load_base(config.model, config.hardware, base), config.adapter, config.seed)
    trainer = ProvenanceTrainer(
        config.loss,
        corpus.order,
        _checkpoint_key(config, base, prepared),
        config.method.packing,
        model=model,
        args=_arguments(config, folder, corpus.steps),
        train_dataset=corpus.dataset,
        eval_dataset=corpus.held_out,
        processing_class=tokenizer,
    )
    return trainer, corpus


def _corpus(config: Config, tokenizer: Any, prepared: Path) -> Corpus:
    rows = tokenise(config, tokenizer, prepared / "train.jsonl")
    if not len(rows):
        raise DataError(
            f"none of the {rows.dropped} training samples has a token to learn within model.max_length="
            f"{config.model.max_length}; raise it, or look at the prepared data in {prepared}."
        )
    found = policy(config.loss, rows.authority, rows.entropy)
    picked, repeats = _picked(config, rows, found)
    dataset = packed(config, rows, found, picked)
    steps = config.method.max_steps or _steps(config.method, len(dataset) / repeats)
    positions = order(len(dataset), steps * config.method.total_batch_size, config.seed)
    return Corpus(rows, found, dataset, positions, steps, _held_out(config, tokenizer, prepared))


def _steps(method: SftMethod, count: float) -> int:
    return max(1, math.ceil(count * method.num_train_epochs / method.total_batch_size))


def _picked(config: Config, rows: Rows, found: Policy) -> tuple[Ints | None, int]:
    """Rows drawn for the whole training and the passes over the data they make up; None takes every row, once."""
    if found.probabilities is None:
        return None, 1
    steps = config.method.max_steps or _steps(config.method, len(rows))
    repeats = math.ceil(steps * config.method.total_batch_size / len(rows))
    return draw(found.probabilities, repeats * len(rows), config.seed), repeats


def packed(config: Config, rows: Rows, found: Policy, indices: Ints | None = None) -> Any:
    """The rows (at `indices`) as a dataset, several in one sequence of `max_length` when `method.packing` is set."""
    dataset = to_dataset(rows, found, indices)
    return pack_dataset(dataset, config.model.max_length) if config.method.packing else dataset


def _held_out(config: Config, tokenizer: Any, prepared: Path) -> Any | None:
    """The held-out rows, or None when there are none."""
    path = prepared / "heldout.jsonl"
    rows = tokenise(config, tokenizer, path) if path.is_file() else Rows([], [], [], [])
    if len(rows):
        return to_dataset(rows, policy(config.loss, rows.authority, rows.entropy))
    if config.method.metric_for_best_model is not None:
        raise DataError(
            f"method.metric_for_best_model={config.method.metric_for_best_model} needs held-out samples, and {prepared} has "
            "none; raise dataset.test_size or set method.metric_for_best_model=null."
        )
    return None


def _arguments(config: Config, folder: Path, steps: int) -> SFTConfig:
    method, length = config.method, config.model.max_length
    return SFTConfig(
        **common_arguments(config, folder, steps),
        per_device_eval_batch_size=max(1, config.hardware.eval_batch_tokens // length),
        max_length=length,
        eval_strategy="steps" if method.eval_steps else "no",
        eval_steps=method.eval_steps,
        dataset_kwargs={"skip_prepare_dataset": True},
    )


def _checkpoint_key(config: Config, base: str, prepared: Path) -> str:
    """What a checkpoint belongs to: everything that shapes the weights, and nothing that only watches them."""
    method = replace(config.method, logging_steps=1, eval_steps=None, save_steps=None, save_total_limit=1)
    data = file_hash(prepared / "train.jsonl")
    chat = config.dataset.chat
    return key_of(base, config.model, config.adapter, config.hardware, method, config.loss, chat, config.seed, data)


def _install(trainer: ProvenanceTrainer, method: SftMethod, reporter: Reporter, stop: Stop) -> KeepBest | None:
    trainer.add_callback(reporter)
    trainer.add_callback(StopOnSignal(stop))
    if method.metric_for_best_model is None:
        return None
    keeper = KeepBest(trainer.folder / BEST, method.metric_for_best_model)
    trainer.add_callback(keeper)
    return keeper


def _run(trainer: ProvenanceTrainer, keeper: KeepBest | None, stop: Stop) -> dict[str, float]:
    """Train to the end, from the latest checkpoint if there is one, and evaluate there."""
    resumed = trainer.latest_checkpoint()
    if resumed is None and keeper is not None:
        keeper.forget()
    if resumed is not None:
        logger.info("going on from %s", resumed)
    result = trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    step = trainer.state.global_step
    require_finished(trainer, stop)
    lines = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    # Not the trainer's own mean: after a resumption that covers the later steps only.
    metrics = {"train/loss": float(lines[-1] if lines else result.training_loss), "train/steps": float(step)}
    if trainer.eval_dataset is not None:
        metrics |= trainer.final_evaluation()
    if keeper is not None:
        metrics["train/best_step"] = float(keeper.best()[1])
    return metrics


def require_finished(trainer: CarefulTrainer, stop: Stop) -> None:
    """Raise `Interrupted` when a signal ended the training."""
    if stop:
        raise Interrupted(
            f"{stop.signal} at step {trainer.state.global_step} of {trainer.state.max_steps}: the checkpoint is saved; run the "
            "same command again with the same hydra.run.dir to go on from it."
        )


def write_weights(trainer: CarefulTrainer, place: Path, keeper: KeepBest | None = None) -> None:
    """Write the last weights, or the best ones, in one step; a whole model takes its tokenizer along."""
    with checkpoints.new_folder(place) as temporary:
        if keeper is not None:
            keeper.copy_to(temporary)
        elif place.name == MODEL_DIR:
            trainer.model.save_pretrained(temporary)
        else:
            trainer.model.save_pretrained(temporary, selected_adapters=["default"])
        if place.name == MODEL_DIR:
            trainer.processing_class.save_pretrained(temporary)


@contextmanager
def memory_explained(config: Config) -> Iterator[None]:
    """Turn running out of accelerator memory into a sentence."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"{config.hardware.device} ran out of memory; lower hardware.per_device_train_batch_size (now "
            f"{config.hardware.per_device_train_batch_size}; the total batch stays {config.method.total_batch_size}) or "
            "model.max_length, or set hardware.gradient_checkpointing=true."
        ) from error
