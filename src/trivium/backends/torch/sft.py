"""Supervised fine-tuning on TRL: cross-entropy, plain or weighted by provenance, from a prepared folder to an adapter."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from trl import SFTConfig, pack_dataset

from trivium.backends import checkpoints, lines
from trivium.backends.corpus import Corpus, checkpoint_key, gather
from trivium.backends.interrupt import Stop, graceful_stop
from trivium.backends.lines import BEST, CHECKPOINTS, Progress
from trivium.backends.rows import Rows
from trivium.backends.shape import batch_shape
from trivium.backends.torch import ranks, sharding
from trivium.backends.torch.arguments import common_arguments
from trivium.backends.torch.callbacks import KeepBest, Reporter, StopOnSignal
from trivium.backends.torch.careful import CarefulTrainer
from trivium.backends.torch.dataset import to_dataset
from trivium.backends.torch.measure import Meter, Throttle
from trivium.backends.torch.start import Load, load
from trivium.backends.torch.trainer import ProvenanceTrainer
from trivium.backends.torch.watch import Watcher, freed
from trivium.errors import ConfigError, TrainingError
from trivium.evaluation.probe import Watch
from trivium.maths.weights import Ints, Policy
from trivium.models.load import MODEL_DIR, load_tokenizer, weights_dir
from trivium.models.quiet import quiet
from trivium.schema import Config, FullAdapter, SftMethod
from trivium.tracking import Recorder

logger = logging.getLogger(__name__)


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
    load: Load = load,
) -> dict[str, float]:
    """Fine-tune `base` on `prepared/train.jsonl`; returns the final metrics.

    Writes `out/adapter` (PEFT) or `out/model` (every weight), and `out/checkpoints`, from which a training of the same
    settings goes on exactly where it stopped. Raises `DataError`, `ModelError`, `ConfigError`, `TrainingError` when the loss
    is not finite or the disk is full, and `Interrupted` after SIGTERM or Ctrl-C, with a checkpoint saved. `Pruned`, which
    `watch` may raise, passes through; no checkpoint is kept then. `load` makes the model.
    """
    ranks.require(config.hardware)
    with graceful_stop() as stop, quiet(), memory_explained(config):
        meter = Meter(config.hardware.device)
        trainer, corpus = build(config, base, prepared, out / CHECKPOINTS, load)
        if corpus.policy.notice:
            logger.warning(corpus.policy.notice)
        weights = corpus.weight_metrics()
        record.metrics(weights, 0)
        watch_over(trainer, config, Reporter(record.metrics, progress, meter), stop)
        keeper = _keeper(trainer, config.method)
        if watch is not None:
            trainer.add_callback(Watcher(watch, config, trainer.processing_class))
        metrics = {**_run(trainer, keeper, stop), **meter.metrics(trainer.state)}
        write_weights(trainer, out / weights_dir(config.adapter), keeper)
    return {**weights, **metrics, "train/samples": float(len(corpus.rows)), "train/dropped": float(corpus.rows.dropped)}


def build(config: Config, base: str, prepared: Path, folder: Path, load: Load = load) -> tuple[ProvenanceTrainer, Corpus]:
    """The trainer, ready to run, and its corpus; `folder` takes the checkpoints, `load` makes the model."""
    batch_shape(config.method, config.hardware)  # one that does not fit is told before the model is loaded
    if config.hardware.dtype == "float16" and (isinstance(config.adapter, FullAdapter) or config.hardware.device == "cpu"):
        raise ConfigError(
            "hardware.dtype=float16 trains only adapters, on an accelerator (its gradients need scaling); use bfloat16 or "
            "float32."
        )
    tokenizer = load_tokenizer(config.model, base)
    corpus = _corpus(config, tokenizer, prepared)
    trainer = ProvenanceTrainer(
        config.loss,
        corpus.order,
        checkpoint_key(config, base, prepared),
        config.method.packing,
        model=_load(config, base, load),
        args=_arguments(config, folder, corpus.steps),
        train_dataset=corpus.dataset,
        eval_dataset=corpus.held_out,
        processing_class=tokenizer,
    )
    return trainer, corpus


def _load(config: Config, base: str, load: Load) -> Any:
    """The model that this process trains: all of it, or its share."""
    if config.hardware.parallel == "ddp" or ranks.count() == 1:
        return load(config, base, None)
    model = load(replace(config, hardware=replace(config.hardware, device="cpu")), base, None)
    sharding.shard(model, config.hardware.device)
    return model


def _corpus(config: Config, tokenizer: Any, prepared: Path) -> Corpus:
    return gather(config, tokenizer, prepared, lambda *parts: packed(config, *parts), to_dataset)


def packed(config: Config, rows: Rows, found: Policy, indices: Ints | None = None) -> Any:
    """The rows (at `indices`) as a dataset, several in one sequence of `max_length` when `method.packing` is set."""
    dataset = to_dataset(rows, found, indices)
    return pack_dataset(dataset, config.model.max_length) if config.method.packing else dataset


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


def watch_over(trainer: CarefulTrainer, config: Config, reporter: Reporter, stop: Stop, together: int = 1) -> None:
    """Measure, report, rest and stop between steps, of which so many belong `together`."""
    trainer.add_callback(reporter.meter)
    trainer.add_callback(reporter)
    if config.hardware.throttle:
        trainer.add_callback(Throttle(config.hardware.throttle, stop))
    trainer.add_callback(StopOnSignal(stop, together))


def _keeper(trainer: ProvenanceTrainer, method: SftMethod) -> KeepBest | None:
    if method.metric_for_best_model is None:
        return None
    keeper = KeepBest(trainer.folder / BEST, method.metric_for_best_model)
    trainer.add_callback(keeper)
    return keeper


def _run(trainer: ProvenanceTrainer, keeper: KeepBest | None, stop: Stop) -> dict[str, float]:
    """Train to the end, from the latest checkpoint if there is one, and evaluate there."""
    resumed = trainer.latest_checkpoint()
    if resumed is None and keeper is not None and ranks.first():
        keeper.forget()
    if resumed is not None:
        logger.info("going on from %s", resumed)
    result = trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    step = trainer.state.global_step
    require_finished(trainer, stop)
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    # Not the trainer's own mean: after a resumption that covers the later steps only.
    metrics = {"train/loss": float(losses[-1] if losses else result.training_loss), "train/steps": float(step)}
    if trainer.eval_dataset is not None:
        metrics |= trainer.final_evaluation()
    if keeper is not None:
        metrics["train/best_step"] = float(keeper.best()[1])
    return metrics


def require_finished(trainer: CarefulTrainer, stop: Stop) -> None:
    """Raise `Interrupted` when a signal ended the training."""
    lines.require_finished(stop, trainer.state.global_step, trainer.state.max_steps)


def write_weights(trainer: CarefulTrainer, place: Path, keeper: KeepBest | None = None) -> None:
    """Write the last weights, or the best ones, in one step; a whole model takes its tokenizer along."""
    weights = sharding.whole(trainer.model) if keeper is None else None
    if ranks.first():
        with checkpoints.new_folder(place) as temporary:
            if keeper is not None:
                keeper.copy_to(temporary)
            elif place.name == MODEL_DIR:
                trainer.model.save_pretrained(temporary, state_dict=weights)
            else:
                trainer.model.save_pretrained(temporary, state_dict=weights, selected_adapters=["default"])
            if place.name == MODEL_DIR:
                trainer.processing_class.save_pretrained(temporary)
    ranks.together()


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
