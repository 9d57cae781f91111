"""The loop: from the latest checkpoint to the last step, with what happens between steps."""

import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trivium.backends import checkpoints
from trivium.backends.best import Best
from trivium.backends.corpus import Corpus
from trivium.backends.interrupt import Stop
from trivium.backends.lines import Progress, require_finished, shown, why_not_finite
from trivium.backends.measure import PEAK, Clock, rest, took
from trivium.backends.mlx import checkpoint
from trivium.backends.mlx.batches import micro_batches
from trivium.backends.mlx.checkpoint import Position, Tally
from trivium.backends.mlx.learner import Learner, rate
from trivium.backends.mlx.memory import peak
from trivium.backends.shape import batch_shape
from trivium.errors import NotFinite, Pruned
from trivium.schema import Config
from trivium.tracking import Recorder

logger = logging.getLogger(__name__)


@dataclass
class Training:
    """A learner on its way through a corpus; `folder` takes the checkpoints, which belong to `key`."""

    config: Config
    learner: Learner
    corpus: Corpus
    pad_token_id: int
    folder: Path
    key: str
    keeper: Best | None
    write: Callable[[Path], object]
    """Writes the weights as they are into a folder."""
    look: Callable[[int], None]
    """Is shown the model after a step."""
    position: Position = field(default_factory=Position)
    latest: dict[str, float] = field(default_factory=dict)

    def run(self, record: Recorder, progress: Progress, stop: Stop) -> dict[str, float]:
        """Train to the end and evaluate there; returns the final metrics.

        Raises `Interrupted` after a signal, and `TrainingError` when the loss or its gradient is not finite.
        """
        self._resume()
        self.learner.model.train()
        position, clock = self.position, Clock(self.position.seconds)
        tokens, since = position.tokens, time.perf_counter()
        while position.step < self.corpus.steps and not stop:
            began = time.perf_counter()
            position.tokens += self._step()
            progress(position.step, self.corpus.steps, {**self.latest, **self._peak()})
            self._show(stop)
            if self._due(self.config.method.logging_steps):
                speed = (position.tokens - tokens) / (time.perf_counter() - since)
                self._log(record, self._line() | {"tokens_per_second": speed})
                tokens, since = position.tokens, time.perf_counter()
            position.seconds = clock.seconds()
            self._between(record, stop)
            rest(time.perf_counter() - began, self.config.hardware.throttle, stop)
        position.seconds = clock.seconds()
        require_finished(stop, self.position.step, self.corpus.steps)
        return self._final(record)

    def _resume(self) -> None:
        latest = checkpoints.latest(self.folder, self.key)
        if latest is None and self.keeper is not None:
            self.keeper.forget()
        if latest is not None:
            logger.info("going on from %s", latest)
            self.position = checkpoint.load(latest, self.learner)
        elif not self.learner.finite():
            raise NotFinite(why_not_finite(1, self.config.method.learning_rate, base_is_finite=False))

    def _step(self) -> int:
        """One optimiser step; returns the tokens that went in, padding included."""
        method, done = self.config.method, self.position.step
        size = method.total_batch_size
        positions = self.corpus.order[done * size : (done + 1) * size].tolist()
        micro, _ = batch_shape(method, self.config.hardware)
        batches = [self.corpus.dataset.batch(part, self.pad_token_id) for part in micro_batches(positions, micro)]
        supervised = self.corpus.dataset.supervised(positions)
        step = self.learner.step(batches, supervised, rate(method, done, self.corpus.steps))
        if not step.finite:
            raise NotFinite(why_not_finite(done + 1, method.learning_rate, base_is_finite=True))
        self.position.step = done + 1
        self.position.tally.add(step, supervised)
        return sum(batch.ids.size for batch in batches)

    def _show(self, stop: Stop) -> None:
        """Let whoever looks at the model do so, save after the last step, which the evaluation follows."""
        if self.position.step >= self.corpus.steps or stop:
            return
        try:
            self.look(self.position.step)
        except Pruned:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _line(self) -> dict[str, float]:
        """What the steps since the last line were like."""
        tally, method = self.position.tally, self.config.method
        learning_rate = rate(method, self.position.step - 1, self.corpus.steps)
        self.position.loss, self.position.tally = tally.means()["loss"], Tally()
        return {**tally.means(), "grad_norm": tally.grad_norm, "learning_rate": learning_rate, **self._peak()}

    def _peak(self) -> dict[str, float]:
        """The most memory (GB) at once, before an interruption or since."""
        self.position.peak = max(self.position.peak, peak()[PEAK])
        return {PEAK: self.position.peak}

    def _between(self, record: Recorder, stop: Stop) -> None:
        """Evaluate and save, where it is time."""
        method, last = self.config.method, self.position.step >= self.corpus.steps
        if self._due(method.eval_steps, last):
            self._evaluate(record)
        if stop or self._due(method.save_steps, last):
            checkpoint.save(self.folder, self.key, method.save_total_limit, self.learner, self.position)

    def _due(self, every: int | None, last: bool = False) -> bool:
        return bool(every) and (last or self.position.step % int(every or 1) == 0)

    def _evaluate(self, record: Recorder) -> None:
        """Held-out means per supervised token, as `eval_…`; none without held-out rows."""
        if self.corpus.held_out is None:
            return
        means = self._held_out()
        self.position.evaluated = {**means, "step": self.position.step}
        self._log(record, means)
        if self.keeper is not None:
            self.keeper.offer(means[self.keeper.metric], self.position.step, self.write)

    def _held_out(self) -> dict[str, float]:
        examples: Any = self.corpus.held_out
        hardware = self.config.hardware
        size = max(1, hardware.eval_batch_tokens // self.config.model.max_length)
        sums: dict[str, float] = {}
        self.learner.model.eval()
        for part in micro_batches(range(len(examples)), size):
            found = self.learner.measure(examples.batch(part, self.pad_token_id))
            sums = {name: sums.get(name, 0.0) + value for name, value in found.items()}
        self.learner.model.train()
        tokens = examples.supervised(range(len(examples)))
        return {f"eval_{name}": value / tokens for name, value in sums.items() if shown(f"eval_{name}")}

    def _log(self, record: Recorder, line: dict[str, float]) -> None:
        self.latest |= line
        record.metrics(line, self.position.step)

    def _final(self, record: Recorder) -> dict[str, float]:
        position = self.position
        loss = position.tally.means()["loss"] if position.loss is None else position.loss
        metrics = {"train/loss": loss, "train/steps": float(position.step), **self._peak()}
        metrics |= took(position.seconds, position.tokens)
        if self.corpus.held_out is not None:
            if position.evaluated.get("step") != position.step:
                self._evaluate(record)
            metrics |= {name: position.evaluated[name] for name in ("eval_nll", "eval_loss")}
        if self.keeper is not None:
            metrics["train/best_step"] = float(self.keeper.best()[1])
        return metrics
