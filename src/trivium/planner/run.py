"""`task=plan`, and what a run does with a plan before and after its training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trivium.arms import Arm
from trivium.artifact import MANIFEST
from trivium.backends.measure import PEAK, SECONDS
from trivium.console import Screen
from trivium.errors import ModelError
from trivium.models.load import weights_dir
from trivium.planner import known, telling
from trivium.planner.pace import earlier_runs
from trivium.planner.plan import TOO_BIG, Forecast, forecast
from trivium.recording import recorded
from trivium.result import Result
from trivium.schema import Config

Metrics = dict[str, float]


def plan(config: Config, arms: Sequence[Arm], out: Path) -> Result:
    """`task=plan`: every arm's forecast in `plan.json`, the largest one's table, the time of all.

    Nothing is prepared, built or fetched. Raises `GateError` when it does not fit and `plan.gate` is strict, and `ModelError`
    where nothing tells how large the model is.
    """
    screen, result = Screen(), Result(config.task, config.name)
    with recorded(config, out, result):
        earlier = earlier_runs(config)
        found = {arm.name: forecast(arm.config, known.data_before(arm.config), earlier) for arm in arms}
        telling.write(found, out)
        for name, one in found.items():
            result.add(one.metrics(), f"arms/{name}/" if len(found) > 1 else "")
        main = next(arm.name for arm in arms if arm.main)
        result.add(found[main].metrics())
        _show(found, screen)
        screen.say(f"results in {out}/plan.json")
        telling.judge("strict" if config.plan.gate == "strict" else "warn", _largest(found), screen)
    return result


def _show(found: Mapping[str, Forecast], screen: Screen) -> None:
    largest = _largest(found)
    name = next(name for name, one in found.items() if one is largest)
    several = f", the largest of {len(found)} arms" if len(found) > 1 else ""
    telling.table(f"{name}{several}", largest, screen)
    for sentence in telling.facts(largest):
        screen.say(sentence)
    _say(found, screen)
    for note in largest.notes:
        screen.say(f"note: {note}.")


def _largest(found: Mapping[str, Forecast]) -> Forecast:
    return max(found.values(), key=lambda one: one.peak.total / one.capacity.bytes)


def foresee(config: Config, arms: Sequence[Arm], screen: Screen) -> bool:
    """Before anything is prepared: whether a model that is given fits, by its limits, or by data that are there already.

    Returns whether a warning was given. Raises `GateError` when it does not fit and `plan.gate` is strict. The embedded model,
    which fits everywhere, is planned when its data are there; so is a model that is yet to be downloaded.
    """
    if config.plan.gate == "off" or "train" not in config.stages or config.from_run is not None:
        return False
    if config.model.path is None and config.model.init != "random":
        return False
    try:
        largest = _largest({arm.name: forecast(arm.config, known.data_before(arm.config), ()) for arm in arms})
    except ModelError:
        return False
    telling.judge(config.plan.gate, largest, screen)
    return largest.verdict == TOO_BIG


@dataclass(frozen=True)
class Training:
    """One that is to come: what it trains from, on what, and where."""

    name: str
    config: Config
    base: str
    prepared: Path
    out: Path

    @property
    def finished(self) -> bool:
        """Whether its weights are there already."""
        return (self.out / weights_dir(self.config.adapter) / MANIFEST).is_file()


def expect(trainings: Sequence[Training], screen: Screen, warned: bool, timed: bool) -> dict[str, Metrics]:
    """Before the trainings of a run: one line about them, and for each its `plan/…` metrics; nothing for finished ones.

    `timed` looks for earlier runs, to tell the time. Raises `GateError` when one does not fit and `plan.gate` is strict.
    """
    ahead = [one for one in trainings if one.config.plan.gate != "off" and not one.finished]
    if not ahead:
        return {}
    try:
        earlier = earlier_runs(ahead[0].config) if timed else ()
        found = {one.name: forecast(one.config, known.read(one.config, one.base, one.prepared), earlier) for one in ahead}
    except ModelError as error:  # whatever is wrong with the model, its training tells
        screen.warn(f"no plan: {error}")
        return {}
    _say(found, screen)
    if not warned:
        telling.judge(ahead[0].config.plan.gate, _largest(found), screen)
    return {name: one.metrics() for name, one in found.items()}


def _say(found: Mapping[str, Forecast], screen: Screen) -> None:
    """The largest forecast in a line, and the time of all."""
    seconds = [one.seconds for one in found.values() if one.seconds is not None]
    several = f"; all {len(found)}: about {telling.duration(sum(seconds))}" if len(seconds) == len(found) > 1 else ""
    screen.say(telling.line(_largest(found)) + several)


def missed(expected: Mapping[str, float], measured: Mapping[str, float], device: str) -> Metrics:
    """How far the forecast was off: measured / predicted − 1.

    Memory is compared on accelerators only: what a process grows by on a CPU is more than its tensors.
    """
    pairs = {"plan/seconds_error": ("plan/seconds", SECONDS)}
    if device != "cpu":
        pairs["plan/memory_error"] = ("plan/tensors_gb", PEAK)
    there = {name: pair for name, pair in pairs.items() if expected.get(pair[0]) and pair[1] in measured}
    return {name: measured[after] / expected[before] - 1 for name, (before, after) in there.items()}
