"""How a study stands in the tags of an MLflow run: records of JSON, and Optuna's own objects made of them."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

Record = dict[str, Any]
Tags = Mapping[str, str]

NAME = "optuna.study"
DIRECTIONS = "optuna.directions"
RECORD = "mlflow.optuna."
"""Before the name of a record; MLflow's pages keep such tags out of their lists."""
STUDY = "study"
LONGEST = 7000
"""Characters of a tag; MLflow cuts at 8000 without a word."""


def named(number: int) -> str:
    """The name of a trial's record."""
    return f"{number:06d}"


def rows(name: str, record: Record) -> dict[str, str]:
    """A record as the tags that hold it; the first tells how many there are."""
    text = json.dumps(record, separators=(",", ":"))
    parts = [text[i : i + LONGEST] for i in range(0, len(text), LONGEST)]
    first, *others = parts
    return {RECORD + name: f"{len(parts)} {first}"} | {f"{RECORD}{name}.{i}": part for i, part in enumerate(others, 1)}


def text(tags: Tags, name: str) -> str:
    """A record's JSON, put together; raises `KeyError` where there is none."""
    count, _, first = tags[RECORD + name].partition(" ")
    return first + "".join(tags[f"{RECORD}{name}.{i}"] for i in range(1, int(count)))


def numbers(tags: Tags) -> list[int]:
    """The numbers of all trials."""
    found = (re.fullmatch(re.escape(RECORD) + r"(\d+)", key) for key in tags)
    return sorted(int(match[1]) for match in found if match)


def directions(tags: Tags) -> list[StudyDirection]:
    """One for each objective."""
    return [StudyDirection[name] for name in tags[DIRECTIONS].split(",")]


def study_record(tags: Tags) -> Record:
    """The attributes of the study, `user` and `system`."""
    empty: Record = {"user": {}, "system": {}}
    return json.loads(text(tags, STUDY)) if RECORD + STUDY in tags else empty


def frozen_study(study_id: int, tags: Tags) -> FrozenStudy:
    """The study as Optuna lists it."""
    record = study_record(tags)
    return FrozenStudy(tags[NAME], None, record["user"], record["system"], study_id, directions=directions(tags))


def trial_record(trial: FrozenTrial) -> Record:
    """A trial as plain JSON; parameters as pairs of internal value and distribution."""
    kinds = trial.distributions
    return {
        "state": trial.state.name,
        "values": trial.values,
        "params": {k: [kinds[k].to_internal_repr(v), distribution_to_json(kinds[k])] for k, v in trial.params.items()},
        "reports": {str(step): value for step, value in trial.intermediate_values.items()},
        "user": trial.user_attrs,
        "system": trial.system_attrs,
        "start": trial.datetime_start and trial.datetime_start.isoformat(),
        "complete": trial.datetime_complete and trial.datetime_complete.isoformat(),
    }


def frozen_trial(trial_id: int, number: int, record: Record) -> FrozenTrial:
    """The trial of a record."""
    kinds = {name: json_to_distribution(kind) for name, (_, kind) in record["params"].items()}
    return FrozenTrial(
        number=number,
        state=TrialState[record["state"]],
        value=None,
        values=record["values"],
        datetime_start=_moment(record["start"]),
        datetime_complete=_moment(record["complete"]),
        params={name: kinds[name].to_external_repr(value) for name, (value, _) in record["params"].items()},
        distributions=kinds,
        user_attrs=record["user"],
        system_attrs=record["system"],
        intermediate_values={int(step): value for step, value in record["reports"].items()},
        trial_id=trial_id,
    )


def now() -> str:
    """The present moment, local time as Optuna keeps it."""
    return datetime.now().isoformat()


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
