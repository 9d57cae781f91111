"""MLflow runs, written to by a client without global state."""

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from trivium.errors import TrackingError
from trivium.schema import MlflowTracking
from trivium.tracking import outbox, resend
from trivium.tracking.store import Store, answering, failures, reason, search
from trivium.tracking.tracker import Tracker
from trivium.trial import Place

ENDS = {"ok": "FINISHED", "pruned": "KILLED"}
"""MLflow's status of a run that ended so; all others FAILED."""


PARENT, TRIAL = "mlflow.parentRunId", "trivium.trial"
"""Tags: the run above, and what a trial's run is found by."""


def open_mlflow(tracking: MlflowTracking, name: str, run_id: str | None = None) -> "MlflowTracker":
    """A new run, or an earlier one as far as it is still there; raises `TrackingError` if MLflow cannot be reached."""
    with answering(tracking) as store:
        if run_id is not None and (run := _earlier(store, run_id)) is not None:
            _continue(store, run, {})
            return MlflowTracker(store, run_id, set(run.data.params))
        return MlflowTracker(store, new_run(store, name, {}).info.run_id)


def open_trial(tracking: MlflowTracking, name: str, out: Path, place: Place) -> "TrialTracker | None":
    """The run of a trial, new below its study or the one that it has already; None, with a warning, without MLflow."""
    try:
        with answering(tracking) as store:
            run = _run_of(store, place)
            if run is None:
                parent = {PARENT: place.parent} if place.parent else {}
                run_id = new_run(store, name, {**parent, **place.tags}).info.run_id
                store.client.log_batch(run_id, metrics=outbox.unknown_rows(place.awaited), synchronous=True)
                return TrialTracker(store, run_id, out)
            _continue(store, run, {"mlflow.runName": name, **place.tags})
            return TrialTracker(store, run.info.run_id, out, set(run.data.params))
    except TrackingError as error:
        outbox.logger.warning("%s The trial goes on without.", error)
        return None


def _earlier(store: Store, run_id: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return store.client.get_run(run_id)
    except MlflowException:
        return None


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
    every number. `known` names the parameters that the run has already; they never change.
    """

    def __init__(self, store: Store, run_id: str, known: Set[str] = frozenset()) -> None:
        self._store, self._client, self._known = store, store.client, known
        self._outbox = outbox.Outbox(store.client, run_id)
        self.run_id: str | None = run_id

    def params(self, values: Mapping[str, Any]) -> None:
        """Flat parameters that the run does not have yet."""
        self._outbox.put("params", outbox.param_rows({k: v for k, v in values.items() if k[:250] not in self._known}))

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Finite numbers."""
        self._outbox.put("metrics", outbox.metric_rows(values, step))

    def tag(self, name: str, value: str) -> None:
        """A tag of the run."""
        self._outbox.put("tags", outbox.tag_rows({name: value}))

    def table(self, name: str, columns: Mapping[str, list[Any]], step: int) -> None:
        """A table artifact of its own for each step, so that nothing is sent twice."""
        self._outbox.call(self._client.log_table, self.run_id, dict(columns), f"{name}/{name}_{step:05d}.json")

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
        """A child run."""
        try:
            run = new_run(self._store, name, {PARENT: str(self.run_id), "arm": name})
        except failures() as error:
            raise TrackingError(f"MLflow could not begin the run of the arm {name}: {reason(error)}.") from error
        return MlflowTracker(self._store, run.info.run_id)

    def finish(self, status: str) -> None:
        """Wait for what is on its way and end the run."""
        self.tag("status", status)
        self._outbox.close()
        self._outbox.call(self._client.set_terminated, self.run_id, ENDS.get(status, "FAILED"))


class TrialTracker(MlflowTracker):
    """The run of a trial, which is left open: its state is the trial's, set when the study knows it.

    The settings of the search itself are the parent's.
    """

    def __init__(self, store: Store, run_id: str, out: Path, known: Set[str] = frozenset()) -> None:
        super().__init__(store, run_id, known)
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
