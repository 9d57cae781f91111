"""The best point of a study, as a line to run and as an experiment file."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.maths.statistics import Estimate
from trivium.overrides import is_choice, key_of
from trivium.sweep.report.facts import StudyFacts
from trivium.sweep.report.intervals import shown
from trivium.sweep.report.rows import Row, rows

if TYPE_CHECKING:
    from optuna.study import Study

OF_THE_SEARCH = ("sweep", "experiment", "hydra")
"""Keys that say how was searched, and not what was trained."""


def best_rows(study: "Study", found: Sequence[Row]) -> list[Row]:
    """The best feasible trial, or the Pareto front ordered by the first objective; empty while there is none."""
    by_number = {row.number: row for row in found}
    if len(study.directions) > 1:
        front = [by_number[trial.number] for trial in study.best_trials]
        return sorted(front, key=lambda row: row.values[0].value, reverse=is_maximised(study, 0))
    feasible = [row for row in found if row.values and row.feasible]
    choose = max if is_maximised(study, 0) else min
    return [choose(feasible, key=lambda row: row.values[0].value)] if feasible else []


def is_maximised(study: "Study", index: int) -> bool:
    """Whether more is better of an objective."""
    return study.directions[index].name == "MAXIMIZE"


def best_overrides(study: "Study") -> list[list[str]]:
    """The swept overrides of the best trial, or of every trial of the front; infeasible trials are never best."""
    objectives = [str(i) for i in range(len(study.directions))]
    return [list(row.overrides) for row in best_rows(study, rows(study, objectives))]


def overrides_of(facts: StudyFacts, point: Sequence[str]) -> list[str]:
    """The fixed overrides of a study and those of a point; the point's stand where both set a key."""
    if tuple(point) in facts.words:
        return list(facts.words[tuple(point)])
    chosen = {key_of(override) for override in point}
    fixed = [o for o in facts.fixed if key_of(o).split(".")[0] not in OF_THE_SEARCH and key_of(o) not in chosen]
    return [*fixed, *point]


def command(facts: StudyFacts, point: Sequence[str]) -> str:
    """The line that trains a point, quoted for a shell."""
    return shlex.join(["trivium", f"experiment={facts.experiment}", *overrides_of(facts, point)])


def write_experiment(facts: StudyFacts, row: Row, name: str, objectives: Sequence[str], folder: Path) -> Path:
    """`<folder>/conf/experiment/<name>.yaml`: the point as an experiment of its own."""
    path = folder / "conf" / "experiment" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    origin = [f"trial {row.number} of the study {facts.study}", *map(_reached, objectives, row.values)]
    path.write_text(experiment_yaml(facts, row.overrides, ", ".join(origin)), encoding="utf-8")
    return path


def experiment_yaml(facts: StudyFacts, point: Sequence[str], origin: str) -> str:
    """An experiment option that says the same as the line: group choices as `override`, values nested."""
    from omegaconf import OmegaConf

    overrides = overrides_of(facts, point)
    choices = [o for o in overrides if is_choice(o) and not o.startswith("~")]
    taken_away = [o for o in overrides if o.startswith("~")]
    head = ["# @package _global_", f"# Found by a sweep: {_one_line(origin)}."]
    head += [f"# A file cannot take keys away: give {_one_line(shlex.join(taken_away))} on the command line too."] * bool(
        taken_away
    )
    defaults: list[Any] = [facts.experiment, "_self_", *({f"override /{key}": value} for key, value in map(_choice, choices))]
    tree = OmegaConf.create()
    for override in overrides:
        if override not in choices and override not in taken_away:
            OmegaConf.update(tree, key_of(override), _value(override), merge=True, force_add=True)
    text = OmegaConf.to_yaml(OmegaConf.create({"defaults": defaults}))
    return "\n".join([*head, text]) + (OmegaConf.to_yaml(tree) if len(tree) else "")


def _reached(metric: str, value: Estimate) -> str:
    return f"{metric} {shown(value)}"


def _choice(override: str) -> tuple[str, Any]:
    key, _, _ = override.lstrip("+").partition("=")
    return key, _value(override)


def _value(override: str) -> Any:
    """The value of an override as Hydra reads it."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create().parse_override(override).value()


def _one_line(text: str) -> str:
    return " ".join(text.split())
