"""Trackers: where metrics, parameters and files of a run go. A local JSONL is always written; MLflow is beside it."""

import json
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from trivium.errors import TrackingError
from trivium.schema import Config, MlflowTracking

logger = logging.getLogger(__name__)


class Tracker(Protocol):
    """What a stage may record."""

    run_id: str | None

    def params(self, values: Mapping[str, Any]) -> None:
        """Settings, once."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Numbers, at an optimiser step or for the run as a whole."""

    def dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """A data set that the run used, by digest (hex)."""

    def artifact(self, path: Path) -> None:
        """A file or folder that the run made."""

    def child(self, name: str, out: Path) -> "Tracker":
        """The tracker of a control arm."""

    def finish(self, status: str) -> None:
        """The end; `status` is `ok`, `failed` or `gate_failed`."""


class JsonlTracker:
    """One JSON line per record in `<out>/metrics.jsonl`, flushed at once so that a crash loses nothing."""

    run_id: str | None = None

    def __init__(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._file = (out / "metrics.jsonl").open("a", encoding="utf-8")

    def _write(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps({"time": round(time.time(), 3), **record}) + "\n")
        self._file.flush()

    def params(self, values: Mapping[str, Any]) -> None:
        """Nothing: the resolved configuration lies beside the file."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """One line."""
        self._write({"step": step, "metrics": dict(values)})

    def dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """One line."""
        self._write({"dataset": name, "digest": digest, "source": source, "context": context})

    def artifact(self, path: Path) -> None:
        """Nothing: the file lies in the run directory already."""

    def child(self, name: str, out: Path) -> "Tracker":
        """A JSONL of the arm's own."""
        return JsonlTracker(out)

    def finish(self, status: str) -> None:
        """Close the file."""
        self._write({"status": status})
        self._file.close()


class MlflowTracker:
    """An MLflow run, written to by the client without global state; metrics go out asynchronously.

    When MLflow stops answering in the middle of a run, the run goes on: the failure is logged once and the JSONL has
    every number.
    """

    def __init__(self, client: Any, experiment_id: str, name: str, tags: Mapping[str, str]) -> None:
        self._client, self._experiment_id = client, experiment_id
        self._pending: list[Any] = []
        self._failed = False
        run = client.create_run(experiment_id, run_name=name, tags=dict(tags))
        self.run_id: str | None = run.info.run_id

    def params(self, values: Mapping[str, Any]) -> None:
        """Flat parameters, cut at MLflow's 6000 characters."""
        from mlflow.entities import Param

        rows = [Param(key[:250], str(value)[:6000]) for key, value in values.items()]
        for start in range(0, len(rows), 100):
            self._try(self._client.log_batch, self.run_id, params=rows[start : start + 100])

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """A batch of finite numbers."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        rows = [Metric(_metric_name(k), float(v), now, step or 0) for k, v in values.items() if v == v]
        operation = self._try(self._client.log_batch, self.run_id, metrics=rows, synchronous=False)
        if operation is not None:
            self._pending.append(operation)

    def dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """A dataset input with its digest."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        entry = Dataset(name=name, digest=digest[:36], source_type="local", source=json.dumps({"path": source}))
        self._try(self._client.log_inputs, self.run_id, [DatasetInput(entry, [InputTag("mlflow.data.context", context)])])

    def artifact(self, path: Path) -> None:
        """A file, or a folder under its own name."""
        if path.is_dir():
            self._try(self._client.log_artifacts, self.run_id, str(path), path.name)
        elif path.is_file():
            self._try(self._client.log_artifact, self.run_id, str(path))

    def child(self, name: str, out: Path) -> "Tracker":
        """A child run."""
        return MlflowTracker(self._client, self._experiment_id, name, {"mlflow.parentRunId": str(self.run_id), "arm": name})

    def finish(self, status: str) -> None:
        """Wait for what is on its way and end the run."""
        for operation in self._pending:
            self._try(operation.wait)
        self._try(self._client.set_tag, self.run_id, "status", status)
        self._try(self._client.set_terminated, self.run_id, "FINISHED" if status == "ok" else "FAILED")

    def _try(self, call: Any, *args: Any, **kwargs: Any) -> Any:
        from mlflow.exceptions import MlflowException

        if self._failed:
            return None
        try:
            return call(*args, **kwargs)
        except (MlflowException, OSError) as error:
            self._failed = True
            logger.warning("MLflow stopped answering (%s); metrics.jsonl goes on alone.", str(error).split("\n")[0])
            return None


class Trackers:
    """Several trackers as one."""

    def __init__(self, *trackers: Tracker) -> None:
        self._trackers = trackers
        self.run_id = next((t.run_id for t in trackers if t.run_id), None)

    def params(self, values: Mapping[str, Any]) -> None:
        """To each."""
        for tracker in self._trackers:
            tracker.params(values)

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """To each."""
        for tracker in self._trackers:
            tracker.metrics(values, step)

    def dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """To each."""
        for tracker in self._trackers:
            tracker.dataset(name, digest, source, context)

    def artifact(self, path: Path) -> None:
        """To each."""
        for tracker in self._trackers:
            tracker.artifact(path)

    def child(self, name: str, out: Path) -> "Tracker":
        """A child of each."""
        return Trackers(*(tracker.child(name, out) for tracker in self._trackers))

    def finish(self, status: str) -> None:
        """Each."""
        for tracker in self._trackers:
            tracker.finish(status)


@contextmanager
def open_tracker(config: Config, out: Path, name: str) -> Iterator[Tracker]:
    """The run's trackers; the run is marked failed if an error passes through.

    Raises `TrackingError` if MLflow cannot be reached at the start.
    """
    from trivium.errors import GateError

    trackers: list[Tracker] = [JsonlTracker(out)]
    if isinstance(config.tracking, MlflowTracking):
        trackers.append(_open_mlflow(config.tracking, name))
    tracker = Trackers(*trackers)
    try:
        yield tracker
    except BaseException as error:
        tracker.finish("gate_failed" if isinstance(error, GateError) else "failed")
        raise
    tracker.finish("ok")


def _open_mlflow(tracking: MlflowTracking, name: str) -> MlflowTracker:
    import mlflow
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    for chatty in ("mlflow", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(tracking.timeout))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    try:
        uri = _with_timeout(tracking.uri, tracking.timeout)
        client = mlflow.MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(tracking.experiment)
        if found is None:
            identifier = client.create_experiment(tracking.experiment, artifact_location=_artifact_root(tracking.uri))
        else:
            identifier = found.experiment_id
        return MlflowTracker(client, identifier, name, {"mlflow.source.name": "trivium"})
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = _reason(error)
        way = "close the process that holds it" if tracking.uri.startswith("sqlite") else "start the server"
        raise TrackingError(
            f"MLflow at {tracking.uri} cannot be used: {reason}; {way}, choose another with tracking.uri=…, or run with "
            "tracking=none (metrics.jsonl is written all the same)."
        ) from error


def _reason(error: BaseException) -> str:
    match = re.search(r"\(sqlite3\.\w+\) ([^\n]+)", str(error))
    return match.group(1) if match else str(error).split("\n")[0].split("(Caused by")[0].rstrip(". ")[:200]


def _with_timeout(uri: str, seconds: int) -> str:
    """A sqlite URI whose folder exists and whose connections wait this long for a lock."""
    if not uri.startswith("sqlite:///"):
        return uri
    Path(uri.removeprefix("sqlite:///").split("?")[0]).parent.mkdir(parents=True, exist_ok=True)
    return uri if "timeout=" in uri else f"{uri}{'&' if '?' in uri else '?'}timeout={seconds}"


def _artifact_root(uri: str) -> str | None:
    """Artifacts of a sqlite store lie beside its database, not in the working directory."""
    if not uri.startswith("sqlite:///"):
        return None
    folder = Path(uri.removeprefix("sqlite:///").split("?")[0]).resolve().parent / "mlartifacts"
    return folder.as_uri()


def _metric_name(name: str) -> str:
    return re.sub(r"[^\w\-. /:]", "_", name)
