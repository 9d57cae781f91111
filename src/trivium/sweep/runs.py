"""A study in MLflow: one parent run, a child run for each trial, and what a crash left undone mended afterwards."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trivium.errors import TrackingError
from trivium.schema import MlflowTracking
from trivium.sweep import views
from trivium.tracking import outbox
from trivium.tracking.mlflow import PARENT, TRIAL, new_run
from trivium.tracking.resend import resend, started_at
from trivium.tracking.store import Store, answering, search

logger = logging.getLogger(__name__)

KIND, NOTE = "trivium.kind", "mlflow.note.content"
STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}
"""MLflow's status of a run by the state of its trial."""
ENDINGS = {"COMPLETE": "ok", "PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True)
class TrialRecord:
    """What the study knows of a trial: `state` is RUNNING, COMPLETE, PRUNED or FAIL, `name` its run's name."""

    number: int
    state: str
    values: Sequence[float] | None
    run_id: str | None
    folder: Path
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)


# --- the parent ------------------------------------------------------------------------------------------------------


def open_parent(tracking: Any, study: str, spec: Mapping[str, Any], run_id: str | None = None) -> str | None:
    """The id of the study's run, made if `run_id` is None or gone; None where the tracker is not MLflow.

    `spec` has the fields of `SweepConfig`, and may have an `id` of the study, by which a run is found again whose id
    was lost. Raises `TrackingError` if MLflow cannot be reached.
    """
    if not isinstance(tracking, MlflowTracking):
        return None
    with answering(tracking) as store:
        run = _known_parent(store, study, spec, run_id) or new_run(store, study, {})
        _describe(store, run, study, spec)
        return str(run.info.run_id)


def _known_parent(store: Store, study: str, spec: Mapping[str, Any], run_id: str | None) -> Any:
    from mlflow.exceptions import MlflowException

    if run_id is None:
        found = search(store, {"trivium.study": f"{study}/{spec['id']}"}) if "id" in spec else ()
        return next(iter(found), None)
    try:
        run = store.client.get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    if run.info.lifecycle_stage == "deleted":
        store.client.restore_run(run_id)
    return run


def _describe(store: Store, run: Any, study: str, spec: Mapping[str, Any]) -> None:
    note = views.description(store, run.info.run_id, study, spec)
    tags = {"study": study, KIND: "study", "mlflow.runName": study, NOTE: note}
    tags |= {"n_trials": str(spec["n_trials"])} if spec["n_trials"] else {}
    tags |= {"trivium.study": f"{study}/{spec['id']}"} if "id" in spec else {}
    params = [row for row in outbox.param_rows(_params(spec)) if row.key not in run.data.params]
    for batch in outbox.batches({"params": params, "tags": outbox.tag_rows(tags)}):
        store.client.log_batch(run.info.run_id, synchronous=True, **batch)
    views.save_view(store, run.info.run_id, study, spec)
    if run.info.status != "RUNNING":
        store.client.update_run(run.info.run_id, status="RUNNING")


SETTINGS = ("sampler", "pruner", "seed", "repeats", "constraints")


def _params(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What does not change when the study goes on; the number of trials may, and is a tag."""
    space = {f"space/{key}": text for key, text in spec["params"].items()}
    goals = {"objectives": ", ".join(spec["objectives"])}
    return {**{name: spec[name] for name in SETTINGS if spec.get(name) not in (None, [])}, **goals, **space}


def finish_parent(
    tracking: Any,
    run_id: str | None,
    status: str,
    metrics: Mapping[str, float],
    artifacts: Sequence[Path] = (),
    tags: Mapping[str, str] | None = None,
    answer: str = "",
) -> bool:
    """The study's answer, and the end of its run; `status` is ok, or another word for a failure.

    `answer` is Markdown, put before the run's description. Returns whether MLflow has it; a warning says if not.
    """
    if run_id is None or not isinstance(tracking, MlflowTracking):
        return False
    try:
        with answering(tracking) as store:
            run = store.client.get_run(run_id)
            note = run.data.tags.get(NOTE, "")
            told = {} if note.startswith(answer) else {NOTE: f"{answer}\n\n{note}"}
            _send(store, run, metrics, {**(tags or {}), **told, "status": status})
            for path in artifacts:
                _upload(store, run_id, path)
            store.client.set_terminated(run_id, "FINISHED" if status == "ok" else "FAILED")
    except TrackingError as error:
        logger.warning("The study's run is not complete: %s", error)
        return False
    return True


def _upload(store: Store, run_id: str, path: Path) -> None:
    if path.is_dir():
        store.client.log_artifacts(run_id, str(path), path.name)
    elif path.is_file():
        store.client.log_artifact(run_id, str(path))


# --- the trials ------------------------------------------------------------------------------------------------------


def close_trial(tracking: Any, run_id: str | None, state: str, values: Sequence[float] | None, name: str) -> bool:
    """The trial's state, values and name (as it is, if empty) in its run, which ends; harmless when repeated.

    Returns whether MLflow has it; a warning says if not.
    """
    if run_id is None or not isinstance(tracking, MlflowTracking):
        return False
    try:
        with answering(tracking) as store:
            _close(store, store.client.get_run(run_id), state, values, name)
    except TrackingError as error:
        logger.warning("The run of the trial %s is still open: %s", name, error)
        return False
    return True


def _close(store: Store, run: Any, state: str, values: Sequence[float] | None, name: str) -> bool:
    """Whether anything was still to be done."""
    named = {"mlflow.runName": name} if name else {}
    sent = _send(store, run, _objectives(values), {"state": state, **named})
    if run.info.status != STATUS[state]:
        store.client.set_terminated(run.info.run_id, STATUS[state])
        sent = True
    return sent


def _objectives(values: Sequence[float] | None) -> dict[str, float]:
    return dict(zip(views.objective_names(len(values or ())), values or (), strict=True))


def _send(store: Store, run: Any, metrics: Mapping[str, float], tags: Mapping[str, str]) -> bool:
    """Metrics and tags that the run does not have so; whether there were any."""
    rows = {
        "metrics": [row for row in outbox.metric_rows(metrics) if run.data.metrics.get(row.key) != row.value],
        "tags": [row for row in outbox.tag_rows(tags) if run.data.tags.get(row.key) != row.value],
    }
    for batch in outbox.batches(rows):
        store.client.log_batch(run.info.run_id, synchronous=True, **batch)
    return any(rows.values())


# --- after a crash ---------------------------------------------------------------------------------------------------


def reconcile(tracking: Any, parent: str | None, trials: Sequence[TrialRecord], running: set[str]) -> list[str]:
    """Mend what crashes and a silent MLflow left undone; one sentence for each run that was mended.

    Afterwards every finished trial has one child run of `parent`, whole and ended, and no child is RUNNING but those
    in `running` (run ids) and those of trials that are RUNNING or newer than `trials`, which names all of a study.
    Raises `TrackingError` if MLflow cannot be reached.
    """
    if parent is None or not isinstance(tracking, MlflowTracking):
        return []
    with answering(tracking) as store:
        return list(_mend(store, parent, trials, running))


def _mend(store: Store, parent: str, trials: Sequence[TrialRecord], running: set[str]) -> Iterator[str]:
    children = {run.info.run_id: run for run in search(store, {PARENT: parent}) if run.info.run_id not in running}
    for trial in trials:
        own = [run for run in children.values() if _belongs(run, trial)]
        for run in own:
            del children[run.info.run_id]
        if trial.state in STATUS and trial.run_id not in running:
            yield from _mend_trial(store, parent, trial, own)
    newest = max((trial.number for trial in trials), default=-1)
    for run in children.values():
        if run.info.status in ("RUNNING", "SCHEDULED") and int(run.data.tags.get("trial", -1)) <= newest:
            yield _abandon(store, run)


def _belongs(run: Any, trial: TrialRecord) -> bool:
    return bool(run.info.run_id == trial.run_id or run.data.tags.get(TRIAL) == trial.tags.get(TRIAL, ""))


def _mend_trial(store: Store, parent: str, trial: TrialRecord, own: list[Any]) -> Iterator[str]:
    """One run of the trial remains; it is made, filled from the trial's folder and ended, as far as that is needed."""
    own.sort(key=lambda run: (run.info.run_id != trial.run_id, "status" not in run.data.tags, run.info.start_time))
    for double in own[1:]:
        store.client.delete_run(double.info.run_id)
        yield f"trial {trial.number}: a second run was deleted"
    if not own and not trial.folder.is_dir():
        return
    run = own[0] if own else _late_run(store, parent, trial)
    done = [] if own else ["made"]
    done += ["filled from its folder"] if _fill(store, run, trial) else []
    done += ["ended"] if _close(store, run, trial.state, trial.values, trial.name) else []
    if done:
        yield f"trial {trial.number}: its run was {', '.join(done)}"


def _late_run(store: Store, parent: str, trial: TrialRecord) -> Any:
    name = trial.name or f"t{trial.number:03d}"
    return new_run(store, name, {**trial.tags, PARENT: parent}, started_at(trial.folder))


def _fill(store: Store, run: Any, trial: TrialRecord) -> bool:
    """Send what the run lacks; a run that has a status was whole when it got it."""
    if "status" in run.data.tags:
        return False
    resend(store.client, run.info.run_id, trial.folder)
    _send(store, run, {}, {**trial.tags, "status": _status(trial)})
    return True


def _status(trial: TrialRecord) -> str:
    path = trial.folder / "result.json"
    told = str(json.loads(path.read_text(encoding="utf-8"))["status"]) if path.is_file() else "running"
    return told if trial.state == "FAIL" and told not in ("running", "ok") else ENDINGS[trial.state]


def _abandon(store: Store, run: Any) -> str:
    """End a run that nobody works on: it is finished if it says so, and failed otherwise."""
    ended = "FINISHED" if run.data.tags.get("status") == "ok" else "FAILED"
    store.client.set_terminated(run.info.run_id, ended)
    return f"{run.info.run_name}: its run was left open and is {ended.lower()} now"
