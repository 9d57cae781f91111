"""The way to an MLflow server or database: one client per process, and sentences for what can be wrong with it."""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from trivium.errors import TrackingError
from trivium.schema import MlflowTracking


@dataclass(frozen=True)
class Store:
    """A client of one MLflow server or database, and the id of the experiment in it."""

    client: Any
    experiment_id: str


def connect(tracking: MlflowTracking) -> Store:
    """The client and the experiment, which is made if it is missing; remembered by the process that asked.

    Raises `TrackingError` if MLflow cannot be reached.
    """
    try:
        return _connect(tracking.uri, tracking.experiment, tracking.timeout, os.getpid())
    except failures() as error:
        raise unusable(tracking, error) from error


@lru_cache
def _connect(uri: str, experiment: str, timeout: int, pid: int) -> Store:
    import mlflow

    for chatty in ("mlflow", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # a page for each error, which is raised as well
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(timeout))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    _make_whole(uri)
    client = mlflow.MlflowClient(tracking_uri=with_timeout(uri, timeout))
    found = client.get_experiment_by_name(experiment)
    return Store(client, found.experiment_id if found else _new_experiment(client, experiment, artifact_root(uri)))


def _make_whole(uri: str) -> None:
    """A new database of a file has all its tables before it has its name: MLflow cannot go on with one that was begun."""
    import mlflow
    from filelock import FileLock

    path = database(uri)
    if path is None or path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = path.with_name(f".{path.name}.new")
    with FileLock(path.with_name(f".{path.name}.lock")):
        if not path.exists():
            for old in (begun, begun.with_name(f"{begun.name}-journal")):
                old.unlink(missing_ok=True)
            mlflow.MlflowClient(tracking_uri=f"sqlite:///{begun}").search_experiments(max_results=1)
            os.replace(begun, path)


def _new_experiment(client: Any, name: str, artifacts: str | None) -> str:
    from mlflow.exceptions import MlflowException

    kind = {"mlflow.experimentKind": "custom_model_development"}  # MLflow's pages then show runs first, not chats
    try:
        return str(client.create_experiment(name, artifact_location=artifacts, tags=kind))
    except MlflowException:
        if found := client.get_experiment_by_name(name):  # another process was faster
            return str(found.experiment_id)
        raise


@contextmanager
def answering(tracking: MlflowTracking) -> Iterator[Store]:
    """The client and the experiment; what goes wrong with MLflow inside is raised as `TrackingError`."""
    store = connect(tracking)
    try:
        yield store
    except failures() as error:
        raise unusable(tracking, error) from error


def failures() -> tuple[type[Exception], ...]:
    """What a client raises when MLflow does not answer or refuses."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, OSError


def unusable(tracking: MlflowTracking, error: BaseException) -> TrackingError:
    """One sentence: what does not answer, why, and the way out."""
    way = "close the process that holds it" if tracking.uri.startswith("sqlite") else "start the server"
    return TrackingError(
        f"MLflow at {tracking.uri} cannot be used: {reason(error)}; {way}, choose another with tracking.uri=…, or run with "
        "tracking=none (metrics.jsonl is written all the same)."
    )


def reason(error: BaseException) -> str:
    """The part of an error's text that a person needs."""
    match = re.search(r"\(sqlite3\.\w+\) ([^\n]+)", str(error))
    return match.group(1) if match else str(error).split("\n")[0].split("(Caused by")[0].rstrip(". ")[:200]


def with_timeout(uri: str, seconds: int) -> str:
    """A sqlite URI whose folder exists and whose connections wait this long for a lock."""
    path = database(uri)
    if path is None:
        return uri
    path.parent.mkdir(parents=True, exist_ok=True)
    return uri if "timeout=" in uri else f"{uri}{'&' if '?' in uri else '?'}timeout={seconds}"


def artifact_root(uri: str) -> str | None:
    """Artifacts of a sqlite store lie beside its database, not in the working directory."""
    path = database(uri)
    return None if path is None else (path.resolve().parent / "mlartifacts").as_uri()


def database(uri: str) -> Path | None:
    """The file of a sqlite URI; None for a server, another database or one in memory."""
    path = uri.removeprefix("sqlite:///").split("?")[0]
    return Path(path) if uri.startswith("sqlite:///") and path not in ("", ":memory:") else None


def search(store: Store, tags: Mapping[str, str]) -> Iterator[Any]:
    """The experiment's runs that have all these tags, however many there are."""
    query = " and ".join(f"tags.`{key}` = {_quoted(value)}" for key, value in tags.items())
    token: str | None = None
    while True:
        page = store.client.search_runs([store.experiment_id], query, max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _quoted(value: str) -> str:
    return f'"{value}"' if "'" in value else f"'{value}'"
