"""What a training on PyTorch takes: memory of its device, seconds, tokens."""

import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from trivium.backends.interrupt import Stop
from trivium.backends.measure import PEAK, Clock, Resident, rest, took


def peak_of(device: str) -> Callable[[], int]:
    """Count the most bytes held at once from here on: what PyTorch's allocator gave out on cuda, what its driver holds on mps
    at the end of a step, and on cpu the growth of the resident set of this process.
    """
    if device == "cuda":
        if torch.cuda.is_initialized():  # a new process has nothing to forget, and its device is not chosen yet
            torch.cuda.reset_peak_memory_stats()
        return torch.cuda.max_memory_allocated
    if device == "mps":
        most = [0]

        def driver() -> int:
            most[0] = max(most[0], torch.mps.driver_allocated_memory())
            return most[0]

        return driver
    return Resident().peak


class Meter(TrainerCallback, ExportableState):
    """Measures a training, together with what it took before an interruption: that stands in its checkpoints.

    To be made before the model is loaded. Tokens are those that the trainer counts in `state.num_input_tokens_seen`.
    """

    def __init__(self, device: str) -> None:
        self._device, self._peak, self._before = device, peak_of(device), 0
        self._clock = Clock()
        self._seconds: float | None = None
        self._line = (0, 0.0)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"args": {"device": self._device}, "attributes": {"seconds": self._clock.seconds(), "peak": self._most()}}

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Go on from what a checkpoint tells."""
        kept = state.stateful_callbacks.setdefault(type(self).__name__, {}).get("attributes", {}) if state.global_step else {}
        self._clock, self._before = Clock(kept.get("seconds", 0.0)), kept.get("peak", 0)
        self._line = (state.num_input_tokens_seen, time.perf_counter())

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop the clock."""
        self._seconds = self._clock.seconds()

    def line(self, state: Any) -> dict[str, float]:
        """Of the steps since the last line: tokens a second; and the peak so far."""
        (tokens, since), self._line = self._line, (state.num_input_tokens_seen, time.perf_counter())
        seconds = max(self._line[1] - since, 1e-9)
        return {"tokens_per_second": (self._line[0] - tokens) / seconds, **self.peak()}

    def peak(self) -> dict[str, float]:
        """GB."""
        return {PEAK: self._most() / 1e9}

    def _most(self) -> int:
        return max(self._before, self._peak())

    def metrics(self, state: Any) -> dict[str, float]:
        """Of the whole training; nothing where there was none."""
        return {} if self._seconds is None else {**self.peak(), **took(self._seconds, state.num_input_tokens_seen)}


class Throttle(TrainerCallback):
    """Rests after every step, for a share of the whole time; the weights are the same with it and without."""

    def __init__(self, share: float, stop: Stop) -> None:
        self.share, self.stop = share, stop
        self.since = 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The step's work begins."""
        self.since = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Rest."""
        rest(time.perf_counter() - self.since, self.share, self.stop)
