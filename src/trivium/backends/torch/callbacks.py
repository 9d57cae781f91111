"""What happens between steps: reporting, stopping, keeping the best weights."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from trivium.backends.torch.checkpoints import new_folder
from trivium.backends.torch.interrupt import Stop

Log = Callable[[dict[str, float], int], None]
Progress = Callable[[int, int, dict[str, float]], None]

SHOWN = ("loss", "nll", "grad_norm", "learning_rate", "entropy", "mean_token_accuracy", "tokens_per_second")
"""Metrics of a training line, by TRL's names where it has one; `nll` is the unweighted mean, nats per supervised token."""
HELD_OUT = ("eval_nll", "eval_loss", "eval_entropy", "eval_mean_token_accuracy")

NOTE = "best.json"


class Reporter(TrainerCallback):
    """Passes each metric line to `log` and each step, with the newest metrics, to `progress`; `shown` picks the metrics."""

    def __init__(
        self, log: Log, progress: Progress, shown: Callable[[str], bool] = lambda name: name in SHOWN + HELD_OUT
    ) -> None:
        self.log, self.progress, self.shown = log, progress, shown
        self.latest: dict[str, float] = {}

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """One metric line, without the library's own bookkeeping."""
        line = {name: float(value) for name, value in (logs or {}).items() if self.shown(name) and value is not None}
        if line:
            self.latest.update(line)
            self.log(line, state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """One step done."""
        self.progress(state.global_step, state.max_steps, self.latest)


class StopOnSignal(TrainerCallback):
    """Saves and stops at the end of the step during which a signal came, or of the `every` steps that belong together."""

    def __init__(self, stop: Stop, every: int = 1) -> None:
        self.stop, self.every = stop, every

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Look at the flag."""
        if self.stop and (state.global_step % self.every == 0 or state.global_step == state.max_steps):
            control.should_save = control.should_training_stop = True


class KeepBest(TrainerCallback):
    """Writes the weights to `folder` whenever the held-out `metric` falls below its lowest value so far."""

    def __init__(self, folder: Path, metric: str) -> None:
        self.folder, self.metric = folder, metric

    def best(self) -> tuple[float, int]:
        """Lowest value and its step; (inf, -1) before the first."""
        try:
            note = json.loads((self.folder / NOTE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return math.inf, -1
        return float(note["value"]), int(note["step"])

    def forget(self) -> None:
        """Drop what an earlier, unrelated training kept here."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def copy_to(self, place: Path) -> None:
        """Copy the best weights."""
        shutil.copytree(self.folder, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns(NOTE))

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], model: Any, **_: Any) -> None:
        """Compare and keep."""
        value = metrics[self.metric]
        if value < self.best()[0]:
            with new_folder(self.folder) as temporary:
                model.save_pretrained(temporary)
                note = {"metric": self.metric, "value": value, "step": state.global_step}
                (temporary / NOTE).write_text(json.dumps(note), encoding="utf-8")
