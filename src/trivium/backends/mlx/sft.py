"""Supervised fine-tuning on MLX: the rows, weights, order, schedule and clipping of the torch backend, step by step."""

import logging
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx

from trivium.backends import checkpoints
from trivium.backends.best import Best
from trivium.backends.corpus import Corpus, checkpoint_key, gather
from trivium.backends.interrupt import graceful_stop
from trivium.backends.lines import BEST, CHECKPOINTS, Progress
from trivium.backends.memory import freed
from trivium.backends.mlx import chance
from trivium.backends.mlx.batches import Examples
from trivium.backends.mlx.learner import Learner
from trivium.backends.mlx.memory import checkpoint_layers, measured
from trivium.backends.mlx.start import add_adapter
from trivium.backends.mlx.training import Training
from trivium.backends.shape import batch_shape
from trivium.evaluation.mlx import MlxRespondent
from trivium.evaluation.probe import Watch
from trivium.models import mlx
from trivium.models.load import load_tokenizer, weights_dir
from trivium.models.quiet import quiet
from trivium.schema import Config, FullAdapter
from trivium.tracking import Recorder

logger = logging.getLogger(__name__)


@freed(mx.clear_cache)
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
    is not finite or the disk or the memory is full, and `Interrupted` after SIGTERM or Ctrl-C, with a checkpoint saved.
    `Pruned`, which `watch` may raise, passes through; no checkpoint is kept then.
    """
    with graceful_stop() as stop, quiet(), measured(config):
        corpus = _corpus(config, base, prepared)
        if corpus.policy.notice:
            logger.warning(corpus.policy.notice)
        weights = corpus.weight_metrics()
        record.metrics(weights, 0)
        training = build(config, base, corpus, out / CHECKPOINTS, checkpoint_key(config, base, prepared), watch)
        metrics = training.run(record, progress, stop)
        with checkpoints.new_folder(out / weights_dir(config.adapter)) as folder:
            (training.keeper.copy_to if training.keeper else training.write)(folder)
    return {**weights, **metrics, "train/samples": float(len(corpus.rows)), "train/dropped": float(corpus.rows.dropped)}


def _corpus(config: Config, base: str, prepared: Path) -> Corpus:
    """What is learnt; read before the model, so that a batch that does not fit or useless data are told at once."""
    batch_shape(config.method, config.hardware)
    tokenizer = load_tokenizer(config.model, base)
    return gather(config, tokenizer, prepared, Examples.arranged, Examples.arranged)


def build(config: Config, base: str, corpus: Corpus, folder: Path, key: str, watch: Watch | None = None) -> Training:
    """The training, ready to run; `folder` takes the checkpoints, which belong to `key`."""
    mlx.use_device(config.hardware)
    loaded = mlx.load(config.model, base, config.hardware.dtype)
    write = _trainable(config, loaded, base)
    if config.hardware.gradient_checkpointing:
        checkpoint_layers(loaded.model)
    mx.random.seed(config.seed)
    metric = config.method.metric_for_best_model
    return Training(
        config,
        Learner(loaded.model, config.loss, config.method),
        corpus,
        loaded.tokenizer.pad_token_id,
        folder,
        key,
        keeper=None if metric is None else Best(folder / BEST, metric),
        write=write,
        look=_look(config, loaded, watch),
    )


def _trainable(config: Config, loaded: mlx.Loaded, base: str) -> Callable[[Path], object]:
    """Set which weights are trained; returns what writes them into a folder."""
    if isinstance(config.adapter, FullAdapter):
        loaded.model.unfreeze()
        return mlx.whole_writer(loaded, config.model, base)
    settings = add_adapter(config, loaded.model, base)
    return lambda folder: mlx.save_adapter(loaded.model, folder, settings)


def _look(config: Config, loaded: mlx.Loaded, watch: Watch | None) -> Callable[[int], None]:
    """Shows the model to the watch when it is time; the training then goes on as if nobody had looked."""
    if watch is None:
        return lambda step: None
    respondent = MlxRespondent(*loaded, config.dataset.chat, config.hardware.eval_batch_tokens, config.model.max_length)

    def look(step: int) -> None:
        if step % watch.every:
            return
        key = chance.state()
        loaded.model.eval()
        try:
            watch.look(respondent, step)
        finally:
            loaded.model.train()
            chance.restore(key)

    return look
