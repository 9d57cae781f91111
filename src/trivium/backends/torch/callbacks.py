"""What happens between steps: reporting, stopping, keeping the best weights."""

from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback

from trivium.backends.best import Best
from trivium.backends.interrupt import Stop
from trivium.backends.lines import Log, Progress, shown
from trivium.backends.torch import ranks, sharding
from trivium.backends.torch.measure import Meter


class Reporter(TrainerCallback):
    """Passes each metric line to `log` and each step, with the newest metrics, to `progress`; `shown` picks the metrics.

    A line of training also tells what `meter` measures.
    """

    def __init__(self, log: Log, progress: Progress, meter: Meter, shown: Callable[[str], bool] = shown) -> None:
        self.log, self.progress, self.meter, self.shown = log, progress, meter, shown
        self.latest: dict[str, float] = {}

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """One metric line, without the library's own bookkeeping."""
        line = {name: float(value) for name, value in (logs or {}).items() if self.shown(name) and value is not None}
        if "loss" in line:
            line = self.meter.line(state) | line
        if line:
            self.latest.update(line)
            self.log(line, state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """One step done."""
        self.progress(state.global_step, state.max_steps, {**self.latest, **self.meter.peak()})


class StopOnSignal(TrainerCallback):
    """Saves and stops at the end of the step during which a signal came, or of the `every` steps that belong together."""

    def __init__(self, stop: Stop, every: int = 1) -> None:
        self.stop, self.every = stop, every

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Look at the flag."""
        if ranks.agree(self.stop) and (state.global_step % self.every == 0 or state.global_step == state.max_steps):
            control.should_save = control.should_training_stop = True


class KeepBest(Best, TrainerCallback):
    """Offers the weights of every held-out evaluation."""

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], model: Any, **_: Any) -> None:
        """Compare and keep."""
        value = metrics[self.metric]
        if ranks.shared(lambda: value < self.best()[0]):
            weights = sharding.whole(model)
            if ranks.first():
                self.offer(value, state.global_step, lambda folder: model.save_pretrained(folder, state_dict=weights))
