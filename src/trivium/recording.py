"""What surrounds a run: its folder held, its configuration written before and its result after, whatever happens between."""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from trivium import drift, durable, environment, summary
from trivium.arms import Arm
from trivium.artifact import write_json
from trivium.errors import ConfigError, Interrupted
from trivium.result import FINISHED, Result, status_of, words_of
from trivium.schema import Config
from trivium.serving.runs import SETTINGS
from trivium.tracking import Tracker


@contextmanager
def recorded(config: Config, out: Path, result: Result, arms: Sequence[Arm] = ()) -> Iterator[dict[str, str]]:
    """`config.resolved.yaml` before, `result.json` after, whatever happens between; SIGTERM and Ctrl-C end cleanly.

    Gives tags that tell what the run goes on from, after what a kill has left half written is cleared up. The settings that
    stand beside the weights of a run that is taken up stay what it was trained with, and a run that had finished stays
    finished: what fails now is told under its stage.
    """
    with _alone(out, "wait for it, or give another hydra.run.dir" if config.from_run is None else "wait until it is done"):
        tags = _begin(config, out, arms) if config.from_run is None else {}
        result.write(out)
        with _told(config, out, result), terminable():
            yield tags


def _begin(config: Config, out: Path, arms: Sequence[Arm]) -> dict[str, str]:
    for folder in (out, *out.glob("arms/*")):
        durable.recover(folder)
    _refuse_other_settings(config, out)
    tags = drift.settle(config, arms, out)
    summary.write_config(config, out)
    for arm in arms if len(arms) > 1 else ():
        summary.write_config(arm.config, out / "arms" / arm.name)
    return tags


@contextmanager
def _told(config: Config, out: Path, result: Result) -> Iterator[None]:
    before = (result.status, result.error)
    try:
        yield
        result.status = "ok"
    except KeyboardInterrupt:
        result.status, result.error = "failed", _resume_sentence(config, out)
        raise Interrupted(result.error) from None
    except Interrupted as error:
        result.status, result.error = "failed", f"{error} Here that is hydra.run.dir={out}."
        raise Interrupted(result.error) from None
    except BaseException as error:
        result.status = status_of(error)
        result.error = words_of(error)
        raise
    finally:
        if before[0] in FINISHED:
            result.status, result.error = before
        result.write(out)


@contextmanager
def _alone(out: Path, way: str) -> Iterator[None]:
    """Hold the run's folder, so that no other process writes into it."""
    from filelock import FileLock, Timeout

    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(f"another run is writing into {out}; {way}.") from None
    try:
        yield
    finally:
        lock.release()


TRAINED = ("task", "seed", "starts_from", "model", "adapter", "hardware", "backend", "method", "dataset", "loss", "reward")
"""Settings that may not differ from those of a finished run in the same folder."""


def tell_origin(config: Config, out: Path, tracker: Tracker, tags: Mapping[str, str], warn: Callable[[str], None]) -> None:
    """Record what a run can be made again from, and where it comes from; warn where it goes on in another environment."""
    for name, value in tags.items():
        tracker.tag(name, value)
    if config.from_run is not None:
        return
    if other := environment.record(config, out, drift.finished(out)):
        changed = "; ".join(other)
        warn(f"this training began under another environment ({changed}); its weights may differ from an unbroken one's.")
    tracker.artifact(out / SETTINGS)
    tracker.artifact(out / environment.FILE)


def tell_inputs(arms: Iterable[Arm], out: Path, tracker: Tracker) -> None:
    """Record, arm by arm, the digests of the user's own files that data and measurements come from."""
    write_json(out / environment.INPUTS, {arm.name: environment.inputs(arm.config) for arm in arms})
    tracker.artifact(out / environment.INPUTS)


def _refuse_other_settings(config: Config, out: Path) -> None:
    import yaml

    if not drift.finished(out):
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


def last_steps() -> None:
    """From here on this process only leaves: a further Ctrl-C would stop nothing, and end in a traceback."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
