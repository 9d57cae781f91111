"""What surrounds a run: its folder held, its configuration written before and its result after, whatever happens between."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from trivium import summary
from trivium.artifact import MANIFEST
from trivium.errors import ConfigError, Interrupted
from trivium.result import Result, status_of
from trivium.schema import Config


@contextmanager
def recorded(config: Config, out: Path, result: Result) -> Iterator[None]:
    """`config.resolved.yaml` before, `result.json` after, whatever happens between; SIGTERM and Ctrl-C end cleanly.

    The settings that stand beside the weights of a run that is taken up stay what it was trained with.
    """
    with _alone(out):
        if config.from_run is None:
            _refuse_other_settings(config, out)
            summary.write_config(config, out)
        result.write(out)
        with _told(config, out, result), terminable():
            yield


@contextmanager
def _told(config: Config, out: Path, result: Result) -> Iterator[None]:
    try:
        yield
        result.status = "ok"
    except KeyboardInterrupt:
        result.status, result.error = "failed", _resume_sentence(config, out)
        raise Interrupted(result.error) from None
    except BaseException as error:
        result.status = status_of(error)
        result.error = str(error) or type(error).__name__
        raise
    finally:
        result.write(out)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the run's folder, so that no other process writes into it."""
    from filelock import FileLock, Timeout

    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(f"another run is writing into {out}; wait for it, or give another hydra.run.dir.") from None
    try:
        yield
    finally:
        lock.release()


TRAINED = ("task", "seed", "starts_from", "model", "adapter", "hardware", "backend", "method", "dataset", "loss", "reward")
"""Settings that may not differ from those of a finished run in the same folder."""


def _refuse_other_settings(config: Config, out: Path) -> None:
    import yaml

    if not any((out / name / MANIFEST).is_file() for name in ("adapter", "model")):
        return
    before = summary.flatten(yaml.safe_load((out / "config.resolved.yaml").read_text(encoding="utf-8")))
    now = summary.flatten(asdict(config))
    other = [key for key in now if key.split(".")[0] in TRAINED and before.get(key) != now[key]]
    if other:
        raise ConfigError(
            f"{out} holds a finished run with {other[0]}={before.get(other[0])}, and here it is {now[other[0]]}; give another "
            "hydra.run.dir, or remove that folder."
        )


def _resume_sentence(config: Config, out: Path) -> str:
    way = f" with hydra.run.dir={out}" if config.from_run is None else ""
    return f"interrupted; what was finished is kept: the same command{way} goes on from there."


@contextmanager
def terminable(*others: signal.Signals) -> Iterator[None]:
    """SIGTERM, and other signals that are named, act like Ctrl-C while a block lasts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, *others)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
