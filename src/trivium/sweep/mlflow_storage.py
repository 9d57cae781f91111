"""A study kept in MLflow: all that Optuna knows stands in tags of the study's run, the parent of its trials' runs.

Whatever a trial logs into a run of its own, and whatever becomes of that run, the search is not touched by it; and all
trials are one request away.
"""

import json
import uuid
from collections.abc import Callable, Container, Mapping, Sequence
from copy import deepcopy as copied
from pathlib import Path
from typing import Any

from filelock import FileLock
from optuna.distributions import BaseDistribution, check_distribution_compatibility, distribution_to_json
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.storages._base import DEFAULT_STUDY_NAME_PREFIX
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState, create_trial

from trivium.errors import TrackingError
from trivium.schema import MlflowTracking
from trivium.sweep import mlflow_record
from trivium.sweep.mlflow_record import Record
from trivium.sweep.patience import Patience
from trivium.tracking.store import connect, failures, reason

TRIALS = 10**6
"""Trial ids are the study's id times this, plus the trial's number."""
PATIENCE = 3
"""Waits of `tracking.timeout` before a silent MLflow is given up."""
PASSING = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED")
"""MLflow's codes for what may be over in a moment."""


def run_id(study_id: int) -> str:
    """The MLflow run of a study in this storage, from the number that Optuna knows the study by."""
    return f"{study_id:032x}"


class Missing(TrackingError, KeyError):
    """A study or trial that is not, or no longer, in MLflow."""

    __str__ = Exception.__str__


class MlflowStorage(BaseStorage):
    """Optuna's storage in the tags of MLflow runs; processes take turns through the lock file.

    Every write reads first and is on the server when the call returns. While MLflow is away, a call waits for it up to
    three times `tracking.timeout` seconds and raises `TrackingError` then.
    """

    def __init__(self, tracking: MlflowTracking, lock: Path) -> None:
        self._tracking, self._path, self._lock = tracking, lock, FileLock(lock)
        self._seen: dict[int, tuple[str, FrozenTrial]] = {}
        awaited: tuple[type[Exception], ...] = (TrackingError, *failures())
        self._patiently = Patience("MLflow", PATIENCE * tracking.timeout, awaited, self._away, self._meaning)
        self._store = self._patiently(lambda: connect(tracking))

    def __reduce__(self) -> Any:
        return MlflowStorage, (self._tracking, self._path)

    # --- studies -----------------------------------------------------------------------------------------------------

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        """A run for the study, which is to be the parent of its trials' runs."""
        name = f"{DEFAULT_STUDY_NAME_PREFIX}{uuid.uuid4()}" if study_name is None else study_name
        tags = {
            mlflow_record.NAME: name,
            mlflow_record.DIRECTIONS: ",".join(one.name for one in directions),
            "mlflow.source.name": "trivium",
        }
        with self._lock:
            return self._patiently(lambda: self._new_study(name, tags))

    def _new_study(self, name: str, tags: Mapping[str, str]) -> int:
        if any(run.data.tags[mlflow_record.NAME] == name for run in self._study_runs()):
            raise DuplicatedStudyError(f"the study {name} exists already")
        run = self._store.client.create_run(self._store.experiment_id, run_name=name, tags=dict(tags))
        return int(run.info.run_id, 16)

    def delete_study(self, study_id: int) -> None:
        """Delete the study's run; MLflow can restore it."""
        self._study(study_id)
        self._patiently(lambda: self._store.client.delete_run(run_id(study_id)))

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Keep JSON for the user."""
        self._set_study(study_id, "user", key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Keep JSON for Optuna."""
        self._set_study(study_id, "system", key, value)

    def _set_study(self, study_id: int, kind: str, key: str, value: Any) -> None:
        with self._lock:
            record = mlflow_record.study_record(self._study(study_id))
            record[kind][key] = value
            self._write(study_id, mlflow_record.STUDY, record)

    def get_study_id_from_name(self, study_name: str) -> int:
        """The newest study of that name in the experiment."""
        for run in self._patiently(self._study_runs):
            if run.data.tags[mlflow_record.NAME] == study_name:
                return int(run.info.run_id, 16)
        raise Missing(f"no study {study_name} in MLflow's experiment {self._tracking.experiment}")

    def get_study_name_from_id(self, study_id: int) -> str:
        """Its name, which stands in a tag."""
        return self._study(study_id)[mlflow_record.NAME]

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """One for each objective."""
        return mlflow_record.directions(self._study(study_id))

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """What the user keeps with the study."""
        return dict(mlflow_record.study_record(self._study(study_id))["user"])

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """What Optuna keeps with the study."""
        return dict(mlflow_record.study_record(self._study(study_id))["system"])

    def get_all_studies(self) -> list[FrozenStudy]:
        """The studies of the experiment, in the order of their ids."""
        runs = self._patiently(self._study_runs)
        studies = [mlflow_record.frozen_study(int(run.info.run_id, 16), run.data.tags) for run in runs]
        return sorted(studies, key=lambda study: study._study_id)

    # --- trials ------------------------------------------------------------------------------------------------------

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """The next number, running or as the template says."""
        record = mlflow_record.trial_record(template_trial or create_trial(state=TrialState.RUNNING))
        if template_trial is None:
            record["start"] = mlflow_record.now()
        with self._lock:
            number = len(mlflow_record.numbers(self._study(study_id)))
            self._write(study_id, mlflow_record.named(number), record)
        return study_id * TRIALS + number

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """A value that was proposed, in Optuna's internal form; raises `ValueError` if earlier trials had another kind."""
        study_id, number = divmod(trial_id, TRIALS)
        with self._lock:
            record = self._open(study_id, number)
            earlier = (trial.distributions.get(param_name) for trial in self.get_all_trials(study_id, deepcopy=False))
            if known := next(filter(None, earlier), None):
                check_distribution_compatibility(known, distribution)
            record["params"][param_name] = [param_value_internal, distribution_to_json(distribution)]
            self._write(study_id, mlflow_record.named(number), record)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Claim a waiting trial or end a running one; False if another has claimed it already."""
        study_id, number = divmod(trial_id, TRIALS)
        with self._lock:
            record = self._open(study_id, number)
            if state == TrialState.RUNNING and record["state"] != TrialState.WAITING.name:
                return False
            record["state"] = state.name
            if values is not None:
                record["values"] = list(values)
            if state == TrialState.RUNNING:
                record["start"] = mlflow_record.now()
            if state.is_finished():
                record["complete"] = mlflow_record.now()
            self._write(study_id, mlflow_record.named(number), record)
        return True

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """An estimate after so many steps."""
        self._change(trial_id, lambda record: record["reports"].update({str(step): intermediate_value}))

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Keep JSON for the user."""
        self._change(trial_id, lambda record: record["user"].update({key: value}))

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Keep JSON for Optuna."""
        self._change(trial_id, lambda record: record["system"].update({key: value}))

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """The trial as it is now."""
        study_id, number = divmod(trial_id, TRIALS)
        return copied(self._frozen(study_id, number, self._study(study_id)))

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        """Ids are made from the two."""
        return self.get_trial(study_id * TRIALS + trial_number)._trial_id

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """All trials in the order of their numbers."""
        tags = self._study(study_id)
        trials = [self._frozen(study_id, number, tags) for number in mlflow_record.numbers(tags)]
        chosen = [trial for trial in trials if states is None or trial.state in states]
        return copied(chosen) if deepcopy else chosen

    # --- records -----------------------------------------------------------------------------------------------------

    def _change(self, trial_id: int, change: Callable[[Record], None]) -> None:
        study_id, number = divmod(trial_id, TRIALS)
        with self._lock:
            record = self._open(study_id, number)
            change(record)
            self._write(study_id, mlflow_record.named(number), record)

    def _open(self, study_id: int, number: int) -> Record:
        """The record of a trial that may still change."""
        record: Record = json.loads(self._text(study_id, number, self._study(study_id)))
        if TrialState[record["state"]].is_finished():
            raise UpdateFinishedTrialError(f"trial {number} is {record['state']} already, and stays as it is")
        return record

    def _frozen(self, study_id: int, number: int, tags: Mapping[str, str]) -> FrozenTrial:
        """The trial, read again only if its record has changed."""
        text, trial_id = self._text(study_id, number, tags), study_id * TRIALS + number
        known = self._seen.get(trial_id)
        if known is None or known[0] != text:
            known = self._seen[trial_id] = text, mlflow_record.frozen_trial(trial_id, number, json.loads(text))
        return known[1]

    def _text(self, study_id: int, number: int, tags: Mapping[str, str]) -> str:
        try:
            return mlflow_record.text(tags, mlflow_record.named(number))
        except KeyError:
            raise Missing(f"the study in the MLflow run {run_id(study_id)} has no trial {number}") from None

    # --- MLflow ------------------------------------------------------------------------------------------------------

    def _study(self, study_id: int) -> dict[str, str]:
        """The tags of the study's run: all that is known of it, in one request."""
        run = self._patiently(lambda: self._store.client.get_run(run_id(study_id)))
        tags: dict[str, str] = run.data.tags
        if mlflow_record.NAME not in tags or run.info.lifecycle_stage != "active":
            raise Missing(
                f"the MLflow run {run_id(study_id)} holds no study, or was deleted; MLflow can restore a deleted one."
            )
        return tags

    def _study_runs(self) -> list[Any]:
        """The runs of all studies of the experiment, newest first."""
        runs: list[Any] = []
        token: str | None = None
        while True:
            page = self._store.client.search_runs(
                [self._store.experiment_id],
                f"tags.`{mlflow_record.NAME}` LIKE '%'",
                order_by=["attributes.start_time DESC"],
                page_token=token,
            )
            runs, token = runs + list(page), page.token
            if not token:
                return runs

    def _write(self, study_id: int, name: str, record: Record) -> None:
        """All tags of a record at once."""
        from mlflow.entities import RunTag

        tags = [RunTag(key, value) for key, value in mlflow_record.rows(name, record).items()]
        self._patiently(lambda: self._store.client.log_batch(run_id(study_id), tags=tags, synchronous=True))

    def _away(self, error: Exception) -> str | None:
        cause = _cause(error)
        return reason(cause) if _code(cause) in PASSING else None

    def _meaning(self, error: Exception) -> Exception:
        """What a failure is to those who work on a study."""
        if isinstance(error, TrackingError):
            return error
        if _code(error) == "RESOURCE_DOES_NOT_EXIST":
            return Missing(reason(error))
        was = "refused a request" if self._away(error) is None else f"was away for {PATIENCE * self._tracking.timeout} s"
        return TrackingError(
            f"the study is kept in MLflow at {self._tracking.uri}, which {was} ({reason(error)}); bring it back and give the "
            "same command again: the study goes on where it was."
        )


def _cause(error: Exception) -> BaseException:
    """What a sentence of ours was made of."""
    return error.__cause__ if isinstance(error, TrackingError) and error.__cause__ else error


def _code(error: BaseException) -> str:
    """MLflow's word for what is wrong; a connection that breaks has none, and may be back in a moment."""
    return str(getattr(error, "error_code", PASSING[0]))
