"""What came of a trial, read from its folder: so a result that was written is never lost, whoever died after it."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trivium.maths import statistics
from trivium.schema import SweepConfig
from trivium.sweep import objectives

ENDS = ("_ci_low", "_ci_high", "_base")


@dataclass(frozen=True)
class Outcome:
    """`state` is complete, pruned, failed or unfinished; `repeats` are the values of the first objective, one per seed."""

    state: str
    metrics: dict[str, float] = field(default_factory=dict)
    repeats: list[float] = field(default_factory=list)
    reason: str = ""

    def values(self, sweep: SweepConfig) -> list[float]:
        """The objectives' values, in their order."""
        return [self.metrics[metric] for metric in sweep.sought]


def folders(folder: Path, sweep: SweepConfig) -> list[Path]:
    """Where a trial's trainings write: its own folder, or one below it for every repeat."""
    return [folder] if sweep.repeats == 1 else [folder / f"repeat_{i}" for i in range(sweep.repeats)]


def read(folder: Path, sweep: SweepConfig) -> Outcome:
    """What a trial's trainings left, as far as they went."""
    found = []
    for place in folders(folder, sweep):
        result = result_of(place)
        status, metrics = result.get("status", "running"), result.get("metrics", {})
        if status == "pruned":
            return Outcome("pruned")
        if status == "running":
            return Outcome("unfinished")
        if status == "failed" or any(metric not in metrics for metric in objectives.metrics(sweep)):
            return Outcome("failed", reason=str(result.get("error") or "it gave no value for its objective"))
        found.append(metrics)
    return _whole(found, sweep)


def result_of(folder: Path) -> dict[str, Any]:
    """A run's `result.json`; empty where there is none yet."""
    try:
        result: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return result


def _whole(found: list[Mapping[str, float]], sweep: SweepConfig) -> Outcome:
    names = objectives.metrics(sweep)
    metrics = dict(item for name in names for item in _figures(name, found))
    if wrong := [name for name in names if not math.isfinite(metrics[name])]:
        return Outcome("failed", reason=f"{wrong[0]} is not a number")
    first = next(iter(sweep.sought))
    return Outcome("complete", metrics, [row[first] for row in found] if len(found) > 1 else [])


def _figures(name: str, found: list[Mapping[str, float]]) -> Iterator[tuple[str, float]]:
    """A metric with its interval: over the items of one training, or over the seeds of several."""
    values = [_number(row[name]) for row in found]
    if len(values) == 1:
        yield name, values[0]
        yield from ((name + end, _number(found[0][name + end])) for end in ENDS if found[0].get(name + end) is not None)
        return
    mean = statistics.t_interval(values)
    yield from zip((name, f"{name}_ci_low", f"{name}_ci_high"), mean, strict=True)
    base = [row[f"{name}_base"] for row in found if row.get(f"{name}_base") is not None]
    if base:
        yield f"{name}_base", sum(base) / len(base)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
