"""Where the time of a study went: by what became of its trials, and by the stages of their runs."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from trivium.sweep.report.facts import StudyFacts
from trivium.sweep.report.rows import Row

Spent = dict[str, list[float]]


def table(rows: Sequence[Row], facts: StudyFacts, root: Path) -> list[list[str]]:
    """Rows of what, how often, seconds in all, seconds each. Folders of runs are found as they are, or below `root`."""
    states: Spent = {}
    for row in rows:
        if row.seconds is not None:
            states.setdefault(f"{row.state} trials", []).append(row.seconds)
    trials = _stages([Path(row.folder) for row in rows if row.folder], root)
    fresh = _stages([one.folder for one in facts.confirmed], root)
    told = [_told(what, seconds) for what, seconds in states.items()]
    told += [_told(f"of trials: {stage}", seconds) for stage, seconds in trials.items()]
    told += [_told(f"of runs with fresh seeds: {stage}", seconds) for stage, seconds in fresh.items()]
    return told + _whole(rows)


def _stages(folders: Iterable[Path], root: Path) -> Spent:
    """Seconds of every stage, from the results of runs."""
    spent: Spent = {}
    for folder in folders:
        for stage, told in _result(root / folder).items():
            spent.setdefault(stage, []).append(float(told["seconds"]))
    return spent


def _result(folder: Path) -> dict[str, dict[str, float]]:
    """The stages of a run; none where it left no result."""
    try:
        found: dict[str, dict[str, float]] = json.loads((folder / "result.json").read_text(encoding="utf-8"))["stages"]
    except (OSError, ValueError, KeyError):
        return {}
    return found


def _told(what: str, seconds: Sequence[float]) -> list[str]:
    return [what, str(len(seconds)), f"{sum(seconds):.1f}", f"{sum(seconds) / len(seconds):.1f}"]


def _whole(rows: Sequence[Row]) -> list[list[str]]:
    """From the first start to the last end."""
    starts, ends = [row.start for row in rows if row.start], [row.end for row in rows if row.end]
    if not starts or not ends:
        return []
    return [["first start to last end", "", f"{(max(ends) - min(starts)).total_seconds():.1f}", ""]]
