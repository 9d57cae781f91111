"""Trackers: where metrics, parameters and files of a run go. A local JSONL is always written; MLflow is beside it."""

import json
import logging
import math
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from trivium.errors import TrackingError
from trivium.schema import Config, MlflowTracking, WandbTracking

logger = logging.getLogger(__name__)


class Recorder(Protocol):
    """What a training may record while it lasts."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Numbers, at an optimiser step or for the run as a whole."""

    def table(self, name: str, columns: Mapping[str, list[Any]], step: int) -> None:
        """Rows of text and numbers, column by column, all of one length."""


class Tracker(Recorder, Protocol):
    """What a stage may record."""

    run_id: str | None

    def params(self, values: Mapping[str, Any]) -> None:
        """Settings, once."""

    def tag(self, name: str, value: str) -> None:
        """A word about the run, to find it by."""

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
        self._out = out
        self._file = (out / "metrics.jsonl").open("a", encoding="utf-8")

    def _write(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps({"time": round(time.time(), 3), **record}) + "\n")
        self._file.flush()

    def params(self, values: Mapping[str, Any]) -> None:
        """Nothing: the resolved configuration lies beside the file."""

    def tag(self, name: str, value: str) -> None:
        """One line."""
        self._write({"tag": name, "value": value})

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """One line; a number that is not finite is null."""
        self._write({"step": step, "metrics": {k: v if math.isfinite(v) else None for k, v in values.items()}})

    def table(self, name: str, columns: Mapping[str, list[Any]], step: int) -> None:
        """`<out>/<name>/<name>_<step>.parquet`, and one line that says so."""
        import pyarrow  # type: ignore[import-untyped]
        import pyarrow.parquet  # type: ignore[import-untyped]

        path = self._out / name / f"{name}_{step:05d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        pyarrow.parquet.write_table(pyarrow.table(dict(columns)), temporary)
        os.replace(temporary, path)
        self._write({"step": step, "table": str(path.relative_to(self._out))})

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

    def tag(self, name: str, value: str) -> None:
        """A tag of the run."""
        self._try(self._client.set_tag, self.run_id, name, value)

    def table(self, name: str, columns: Mapping[str, list[Any]], step: int) -> None:
        """A table artifact of its own for each step, so that nothing is sent twice."""
        self._try(self._client.log_table, self.run_id, dict(columns), f"{name}/{name}_{step:05d}.json")

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


class WandbTracker:
    """A Weights & Biases run; in offline mode nothing leaves the machine."""

    def __init__(self, tracking: WandbTracking, name: str, out: Path, group: str | None = None) -> None:
        import wandb

        self._wandb, self._tracking, self._name = wandb, tracking, name
        settings = wandb.Settings(silent=True, disable_git=True, console="off")
        out.mkdir(parents=True, exist_ok=True)
        mode: Any = tracking.mode
        self._run: Any = wandb.init(
            project=tracking.project,
            name=name,
            group=group or name,
            dir=str(out),
            mode=mode,
            settings=settings,
            reinit="create_new",
        )
        self.run_id: str | None = None

    def params(self, values: Mapping[str, Any]) -> None:
        """The run's configuration."""
        self._run.config.update(dict(values), allow_val_change=True)

    def tag(self, name: str, value: str) -> None:
        """A tag of the run, and a summary entry."""
        self._run.tags = (*(self._run.tags or ()), name)
        self._run.summary[name] = value

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """At a step, a line of the history; without one, summary entries."""
        if step is None:
            self._run.summary.update(dict(values))
        else:
            self._run.log({**values, "step": step})

    def table(self, name: str, columns: Mapping[str, list[Any]], step: int) -> None:
        """A W&B table."""
        rows = [list(row) for row in zip(*columns.values(), strict=True)]
        self._run.log({name: self._wandb.Table(columns=list(columns), data=rows), "step": step})

    def dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """A configuration entry with the digest."""
        self._run.config.update({f"dataset/{name}": {"digest": digest, "source": source, "context": context}})

    def artifact(self, path: Path) -> None:
        """Nothing: files stay in the run directory."""

    def child(self, name: str, out: Path) -> "Tracker":
        """A run of its own in the same group."""
        return WandbTracker(self._tracking, name, out, group=self._name)

    def finish(self, status: str) -> None:
        """End the run."""
        self._run.summary["status"] = status
        self._run.finish(exit_code=0 if status == "ok" else 1)


class Trackers:
    """Several trackers as one."""

    def __init__(self, *trackers: Tracker) -> None:
        self._trackers = trackers
        self.run_id = next((t.run_id for t in trackers if t.run_id), None)

    def params(self, values: Mapping[str, Any]) -> None:
        """To each."""
        for tracker in self._trackers:
            tracker.params(values)

    def tag(self, name: str, value: str) -> None:
        """To each."""
        for tracker in self._trackers:
            tracker.tag(name, value)

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """To each."""
        for tracker in self._trackers:
            tracker.metrics(values, step)

    def table(self, name: str, columns: Mapping[str, list[Any]], step: int) -> None:
        """To each."""
        for tracker in self._trackers:
            tracker.table(name, columns, step)

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
    if isinstance(config.tracking, WandbTracking):
        trackers.append(_open_wandb(config.tracking, name, out))
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


def _open_wandb(tracking: WandbTracking, name: str, out: Path) -> WandbTracker:
    try:
        import wandb
    except ImportError as error:
        raise TrackingError("tracking=wandb needs the package wandb: pip install wandb; or choose tracking=mlflow.") from error
    try:
        return WandbTracker(tracking, name, out)
    except (wandb.Error, OSError) as error:
        raise TrackingError(
            f"W&B cannot be used ({str(error).splitlines()[0][:200]}); log in with `wandb login`, or set tracking.mode=offline."
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
