"""The workers on this machine: started, watched, replaced when they die, told to stop, and each with a GPU of its own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivium.errors import ConfigError, GateError, TrainingError
from trivium.schema import SweepConfig
from trivium.sweep.running import FullDisk, has_no_room
from trivium.sweep.worker import MORE

POLL = 0.2
PATIENCE = 30.0
"""Seconds that workers have to save and go, once they were told to stop."""
EARLY = 3
"""Deaths in a row, before anything was achieved, after which it is no accident."""


@dataclass
class Hand:
    """A worker process and where it writes."""

    process: "subprocess.Popen[bytes]"
    log: Path
    note: Path
    gpu: int | None


class Crew:
    """`sweep.workers` processes on one study; `progress` counts what they achieved, so that deaths without any are seen."""

    def __init__(self, folder: Path, sweep: SweepConfig, progress: Callable[[], int]) -> None:
        self._folder, self._sweep, self._progress = folder, sweep, progress
        self._hands: list[Hand] = []
        self._deaths, self._seen, self._begun = 0, 0, 0

    def run(self, tick: Callable[[], None]) -> None:
        """Until every worker has left. `tick` is called several times a second, to show what was finished.

        Raises what ended a worker, `ConfigError` or `TrainingError`; passes on Ctrl-C and SIGTERM after the workers stopped.
        """
        with ExitStack() as stack:
            gpus: list[int | None] = [*stack.enter_context(reserved(self._sweep.gpus, self._sweep.workers))]
            stack.enter_context(_terminable())
            try:
                self._hands = [self._start(gpu) for gpu in gpus]
                while self._hands:
                    time.sleep(POLL)
                    tick()
                    self._look()
            finally:
                self._stop()

    def _look(self) -> None:
        for hand in [hand for hand in self._hands if hand.process.poll() is not None]:
            self._hands.remove(hand)
            code = hand.process.returncode
            if hand.note.is_file():
                raise _noted(hand.note)
            if code == MORE:
                self._hands.append(self._start(hand.gpu))
            elif code != 0:
                self._replace(hand)

    def _replace(self, hand: Hand) -> None:
        """Another one for a worker that died; its trial is queued again by whoever begins the next."""
        if has_no_room(self._folder):
            raise FullDisk(self._folder)
        achieved = self._progress()
        self._deaths = self._deaths + 1 if achieved == self._seen else 1
        self._seen = achieved
        if self._deaths > EARLY * max(1, self._sweep.workers) + self._sweep.retries:
            raise TrainingError(
                f"workers died {self._deaths} times in a row with nothing finished between (exit code "
                f"{hand.process.returncode}); their last words are in {hand.log}. Mend that and run the same command again: "
                "finished trials are kept."
            )
        self._hands.append(self._start(hand.gpu))

    def _start(self, gpu: int | None) -> Hand:
        self._begun += 1
        stem = self._folder / "workers" / f"{os.getpid()}-{self._begun}"
        stem.parent.mkdir(parents=True, exist_ok=True)
        note = stem.with_suffix(".error.json")
        with stem.with_suffix(".log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "trivium.sweep.worker", str(self._folder), str(note)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=_environment(self._sweep.workers, gpu),
            )
        return Hand(process, stem.with_suffix(".log"), note, gpu)

    def _stop(self) -> None:
        """Ask the workers to save and go, and make sure that they went."""
        for hand in self._hands:
            hand.process.terminate()
        until = time.monotonic() + PATIENCE
        for hand in self._hands:
            try:
                hand.process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                hand.process.kill()
                hand.process.wait()


def _noted(note: Path) -> Exception:
    """The error that a worker wrote down."""
    found = json.loads(note.read_text(encoding="utf-8"))
    if found["code"] == ConfigError.exit_code:
        return ConfigError(found["problems"])
    kind = GateError if found["code"] == GateError.exit_code else TrainingError
    return kind(found["problems"][0])


def _environment(workers: int, gpu: int | None) -> dict[str, str]:
    """The cores shared out, and one GPU."""
    threads = max(1, (os.cpu_count() or 1) // workers)
    found = {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    return found if gpu is None else {**found, "CUDA_VISIBLE_DEVICES": str(gpu)}


@contextmanager
def reserved(gpus: list[int] | None, count: int) -> Iterator[list[int | None]]:
    """A GPU for each worker, held against every other sweep on this machine; None for each where none are handed out.

    Raises `TrainingError` when others hold too many of them.
    """
    from filelock import FileLock, Timeout

    if gpus is None:
        yield [None] * count
        return
    with ExitStack() as stack:
        mine: list[int | None] = []
        for gpu in gpus:
            try:
                stack.enter_context(FileLock(Path(tempfile.gettempdir()) / f"trivium-gpu-{gpu}.lock", timeout=0))
            except Timeout:
                continue
            mine.append(gpu)
            if len(mine) == count:
                break
        if len(mine) < count:
            taken = ", ".join(str(gpu) for gpu in gpus if gpu not in mine)
            raise TrainingError(
                f"sweep.gpus={gpus}: {taken} work for another sweep, and sweep.workers={count} need one each; wait, or lower "
                "sweep.workers."
            )
        yield mine


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM acts like Ctrl-C while workers are out."""

    def interrupt(_signal: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
