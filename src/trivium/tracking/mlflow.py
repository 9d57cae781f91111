"""MLflow runs, written to by a client without global state."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivium.artifact import write_json
from trivium.errors import TrackingError
from trivium.schema import MlflowTracking
from trivium.tracking import outbox, resend
from trivium.tracking.store import Store, answering, failures, reason, search
from trivium.tracking.told import RECORDS, table_name
from trivium.tracking.tracker import Tracker
from trivium.trial import Place

ENDS = {"ok": "FINISHED", "pruned": "KILLED"}
"""MLflow's status of a run that ended so; all others FAILED."""


PARENT, TRIAL = "mlflow.parentRunId", "trivium.trial"
"""Tags: the run above, and what a trial's run is found by."""
NOTE = "mlflow.json"
"""In a run's folder, and in that of each of its arms: which run of MLflow records it."""


def open_mlflow(tracking: MlflowTracking, name: str, out: Path, run_id: str | None = None) -> "MlflowTracker":
    """The run of MLflow that a folder has, as far as it is still there, or a new one; `run_id` names one to be added to.

    Raises `TrackingError` if MLflow cannot be reached.
    """
    with answering(tracking) as store:
        if run_id is None:
            return _run_in(store, name, out, {})
        if (run := _earlier(store, run_id)) is not None:
            _continue(store, run, {})
            return MlflowTracker(store, run_id, run)
        return MlflowTracker(store, new_run(store, name, {}).info.run_id)


def noted(folder: Path) -> str | None:
    """The id of the run of MLflow that records a folder; None where there is none."""
    try:
        return str(json.loads((folder / NOTE).read_text(encoding="utf-8"))["run_id"])
    except FileNotFoundError:
        return None


def _run_in(store: Store, name: str, folder: Path, tags: Mapping[str, str]) -> "MlflowTracker":
    """The run that a folder has, brought up to what its `metrics.jsonl` says, or a new one."""
    run = _earlier(store, known) if (known := noted(folder)) is not None else None
    if run is None:
        run_id = new_run(store, name, tags).info.run_id
        write_json(folder / NOTE, {"run_id": run_id})
        return MlflowTracker(store, run_id)
    _continue(store, run, {})
    resend.resend(store.client, run.info.run_id, folder)
    return MlflowTracker(store, run.info.run_id, store.client.get_run(run.info.run_id))


def open_trial(tracking: MlflowTracking, name: str, out: Path, place: Place) -> "TrialTracker | None":
    """The run of a trial, new below its study or the one that it has already; None, with a warning, without MLflow."""
    try:
        with answering(tracking) as store:
            run = _run_of(store, place)
            if run is None:
                parent = {PARENT: place.parent} if place.parent else {}
                run_id = new_run(store, name, {**parent, **place.tags}).info.run_id
                store.client.log_batch(run_id, metrics=outbox.unknown_rows(place.awaited), synchronous=True)
                _catch_up(store, run_id, out)
                return TrialTracker(store, run_id, out)
            _continue(store, run, {"mlflow.runName": name, **place.tags})
            _catch_up(store, run.info.run_id, out)
            return TrialTracker(store, run.info.run_id, out, run)
    except TrackingError as error:
        outbox.logger.warning("%s The trial goes on without.", error)
        return None


def _catch_up(store: Store, run_id: str, folder: Path) -> None:
    """Send what an earlier process of the same trial recorded only in its folder."""
    if (folder / RECORDS).stat().st_size:
        resend.resend(store.client, run_id, folder)


def _earlier(store: Store, run_id: str) -> Any:
    """A run that is there; None for one that is not, or was deleted."""
    from mlflow.exceptions import MlflowException

    try:
        run = store.client.get_run(run_id)
    except MlflowException:
        return None
    return run if run.info.lifecycle_stage == "active" else None


def new_run(store: Store, name: str, tags: Mapping[str, str], start: int | None = None) -> Any:
    """A run that began at `start` (milliseconds since 1970; now)."""
    tags = {"mlflow.source.name": "trivium", **tags}
    return store.client.create_run(store.experiment_id, start_time=start, run_name=name, tags=tags)


def _run_of(store: Store, place: Place) -> Any:
    """The run that a trial has: the one that is named, or one that was begun before its process died."""
    if place.run_id is not None:
        return store.client.get_run(place.run_id)
    if place.parent is None or TRIAL not in place.tags:
        return None
    return next(search(store, {PARENT: place.parent, TRIAL: place.tags[TRIAL]}), None)


def _continue(store: Store, run: Any, tags: Mapping[str, str]) -> None:
    store.client.log_batch(run.info.run_id, tags=outbox.tag_rows(tags), synchronous=True)
    if "status" in run.data.tags:
        store.client.delete_tag(run.info.run_id, "status")
    if run.info.status != "RUNNING":
        store.client.update_run(run.info.run_id, status="RUNNING")


class MlflowTracker:
    """An MLflow run; parameters, metrics and tags go out from a thread of its own.

    When MLflow stops answering in the middle of a run, the run goes on: the failure is logged once and the JSONL has
    every number. `before` is the run as it was found, if it is an earlier one: its parameters never change. A metric of no
    step that has that very value already is not sent again.
    """

    def __init__(self, store: Store, run_id: str, before: Any = None) -> None:
        self._store, self._client = store, store.client
        self._params = before.data.params if before is not None else {}
        self._newest: dict[str, float] = dict(before.data.metrics) if before is not None else {}
        self._outbox = outbox.Outbox(store.client, run_id)
        self.run_id: str | None = run_id

    def params(self, values: Mapping[str, Any]) -> None:
        """Flat parameters that the run does not have yet."""
        self._outbox.put("params", outbox.param_rows({k: v for k, v in values.items() if k[:250] not in self._params}))

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Finite numbers."""
        rows = outbox.metric_rows(values, step)
        new = [row for row in rows if step is not None or self._newest.get(row.key) != row.value]
        self._newest.update({row.key: row.value for row in rows})
        self._outbox.put("metrics", new)

    def tag(self, name: str, value: str) -> None:
        """A tag of the run."""
        self._outbox.put("tags", outbox.tag_rows({name: value}))

    def table(self, name: str, columns: Mapping[str, list[Any]], step: int) -> None:
        """A table artifact of its own for each step, so that nothing is sent twice."""
        self._outbox.call(self._client.log_table, self.run_id, dict(columns), f"{name}/{table_name(name, step)}.json")

    def dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """A dataset input with its digest."""
        self._outbox.call(self._client.log_inputs, self.run_id, [outbox.dataset_row(name, digest, source, context)])

    def artifact(self, path: Path) -> None:
        """A file, or a folder under its own name."""
        if path.is_dir():
            self._outbox.call(self._client.log_artifacts, self.run_id, str(path), path.name)
        elif path.is_file():
            self._outbox.call(self._client.log_artifact, self.run_id, str(path))

    def child(self, name: str, out: Path) -> "Tracker":
        """A child run, or the one that the arm's folder has."""
        try:
            return _run_in(self._store, name, out, {PARENT: str(self.run_id), "arm": name})
        except failures() as error:
            raise TrackingError(f"MLflow could not begin the run of the arm {name}: {reason(error)}.") from error

    def finish(self, status: str) -> None:
        """Wait for what is on its way and end the run."""
        self.tag("status", status)
        self._outbox.close()
        self._outbox.call(self._client.set_terminated, self.run_id, ENDS.get(status, "FAILED"))


class TrialTracker(MlflowTracker):
    """The run of a trial, which is left open: its state is the trial's, set when the study knows it.

    The settings of the search itself are the parent's.
    """

    def __init__(self, store: Store, run_id: str, out: Path, before: Any = None) -> None:
        super().__init__(store, run_id, before)
        self._out = out

    def params(self, values: Mapping[str, Any]) -> None:
        """Flat parameters of the trial itself."""
        super().params(resend.of_trial(values))

    def finish(self, status: str) -> None:
        """Wait for what is on its way; if MLflow was away meanwhile, send from the folder what it has missed."""
        self._outbox.close()
        if self._outbox.broken:
            self._outbox.broken = False
            self._outbox.call(resend.resend, self._client, self.run_id, self._out)
        self._outbox.call(self._client.set_tag, self.run_id, "status", status)
