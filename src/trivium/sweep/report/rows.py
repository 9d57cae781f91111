"""Trials as rows: what tables and figures need of each, whatever state it is in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from trivium.maths.statistics import Estimate, t_interval

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running", "WAITING": "waiting"}


@dataclass(frozen=True)
class Row:
    """One trial; `values` has an estimate per objective when it is complete, else none."""

    number: int
    state: str
    params: Mapping[str, Any]
    values: tuple[Estimate, ...]
    metrics: Mapping[str, float]
    steps: Mapping[int, float]
    """Estimates of the first objective while it trained, by optimiser step."""
    feasible: bool
    overrides: tuple[str, ...]
    seconds: float | None
    start: datetime | None
    end: datetime | None
    worker: str
    run_id: str
    folder: str
    reason: str
    retried: int


def rows(study: "Study", objectives: Sequence[str]) -> list[Row]:
    """Every trial of a study, in the order of their numbers."""
    return [row(trial, objectives) for trial in study.get_trials(deepcopy=False)]


def row(trial: "FrozenTrial", objectives: Sequence[str]) -> Row:
    """A trial as its user attributes and its state tell it."""
    told = trial.user_attrs
    return Row(
        number=trial.number,
        state=STATES[trial.state.name],
        params=trial.params,
        values=_values(trial, objectives),
        metrics=told.get("metrics") or {},
        steps=trial.intermediate_values,
        feasible=all(value <= 0 for value in trial.constraints.values()),
        overrides=tuple(told.get("overrides") or ()),
        seconds=told.get("seconds", trial.duration.total_seconds() if trial.duration else None),
        start=trial.datetime_start,
        end=trial.datetime_complete,
        worker=str(told.get("worker") or ""),
        run_id=str(told.get("run_id") or ""),
        folder=str(told.get("folder") or ""),
        reason=str(told.get("reason") or ""),
        retried=int(told.get("retried") or 0),
    )


def _values(trial: "FrozenTrial", objectives: Sequence[str]) -> tuple[Estimate, ...]:
    if trial.state.name != "COMPLETE" or trial.values is None:
        return ()
    return tuple(_estimate(trial, i, metric) for i, metric in enumerate(objectives))


def _estimate(trial: "FrozenTrial", index: int, metric: str) -> Estimate:
    """The value that the study knows, with the interval over seeds, else the one over items, else none."""
    value = float(trial.values[index])
    repeats = [_of_objective(one, index) for one in trial.user_attrs.get("repeats") or ()]
    if len(repeats) > 1 and None not in repeats:
        found = t_interval([one for one in repeats if one is not None])
        return Estimate(value, found.low, found.high)
    metrics = trial.user_attrs.get("metrics") or {}
    low, high = (metrics.get(f"{metric}_ci_{end}") for end in ("low", "high"))
    return Estimate(value, value if low is None else float(low), value if high is None else float(high))


def _of_objective(repeat: Any, index: int) -> float | None:
    """A repeat is one number, or one for each objective."""
    if isinstance(repeat, list | tuple):
        return float(repeat[index])
    return float(repeat) if index == 0 else None
