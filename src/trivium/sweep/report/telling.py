"""The end of a study in the terminal, and as `result.json`."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trivium.console import Screen
from trivium.maths.statistics import Estimate
from trivium.schema import SweepConfig
from trivium.sweep.report.best import best_rows
from trivium.sweep.report.facts import Comparison, Report, StudyFacts
from trivium.sweep.report.rows import STATES, Row, rows

if TYPE_CHECKING:
    from optuna.study import Study


def tell(report: Report, screen: Screen) -> None:
    """What is best, what fresh seeds say, the line to run, and where the rest is."""
    if report.table:
        rows = [[cell.replace(" [", "\n[") for cell in row] for row in report.table]
        screen.table("what the study found", ["", "measured on", *report.metrics], rows)
    for sentence in report.sentences:
        screen.say(sentence)
    for line in report.commands:
        screen.say(f"  {line}")
    screen.say(f"report: {report.page}")


def outcome(study: "Study", config: SweepConfig, facts: StudyFacts, report: Report) -> dict[str, Any]:
    """The study as plain data: counts by state, the best point or the front with intervals, what fresh seeds gave."""
    found = rows(study, list(config.sought))
    counts = Counter(row.state for row in found)
    finished = counts["complete"] + counts["pruned"]
    chosen = best_rows(study, found)
    commands = dict(zip((row.number for row in chosen), report.commands, strict=True))
    return {
        "status": "ok" if finished >= facts.n_trials and chosen else "failed" if not chosen else "unfinished",
        "study": facts.study,
        "experiment": facts.experiment,
        "objectives": list(config.objectives),
        "n_trials": facts.n_trials,
        "finished": finished,
        "counts": {state: counts[state] for state in STATES.values()},
        "best": [_point(row, list(config.sought), commands[row.number]) for row in chosen],
        "base": dict(facts.base),
        "default": dict(facts.default),
        "confirmed": [_compared(one) for one in report.confirmed],
        "front_confirmed": {which: [_compared(one) for one in front] for which, front in report.front_confirmed.items()},
        "importance": {m: {key: _interval(one) for key, one in shares.items()} for m, shares in report.importance.items()},
        "sentences": list(report.sentences),
        "command": report.commands[0] if len(report.commands) == 1 else None,
    }


def _point(row: Row, objectives: Sequence[str], command: str) -> dict[str, Any]:
    values = dict(zip(objectives, map(_interval, row.values), strict=True))
    return {
        "trial": row.number,
        "params": dict(row.params),
        "overrides": list(row.overrides),
        "values": values,
        "run_id": row.run_id,
        "command": command,
    }


def _compared(one: Comparison) -> dict[str, Any]:
    found: dict[str, Any] = {"metric": one.metric, "seeds": one.seeds, "best": _interval(one.best)}
    for name, estimate in (("default", one.default), ("difference", one.difference)):
        found[name] = _interval(estimate) if estimate else None
    return found


def _interval(estimate: Estimate) -> dict[str, float]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
