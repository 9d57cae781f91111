"""SIGTERM and the first Ctrl-C ask training to stop after the step at hand; the second Ctrl-C stops at once."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass
class Stop:
    """Whether a stop was asked for, and by which signal (its name)."""

    signal: str | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


@contextmanager
def graceful_stop() -> Iterator[Stop]:
    """Handlers that note the signal instead of dying of it, in the main thread only; restored afterwards."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def note(number: int, _frame: FrameType | None) -> None:
        if stop:
            raise KeyboardInterrupt
        stop.signal = signal.Signals(number).name
        _say(f"{stop.signal}: the step at hand is finished and a checkpoint saved; a second signal stops at once.")

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    """Of several processes the first one speaks; not at all where the signal came while it was writing just there."""
    if os.environ.get("RANK", "0") == "0":
        with suppress(OSError, RuntimeError, ValueError):
            sys.stderr.write(f"trivium: {text}\n")
