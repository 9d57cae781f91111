"""Where runs are recorded, and the token that the hub is asked with; neither is touched by looking."""

import os
import sqlite3
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from trivium.doctor.finding import ABSENT, FAIL, OK, Finding
from trivium.schema import Config, MlflowTracking
from trivium.tracking.store import database

ELSEWHERE = "choose another with tracking.uri=…, or run with tracking=none."
_TOKEN_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


def mlflow(config: Config) -> Iterator[Finding]:
    """The database or server of runs."""
    tracking = config.tracking
    if not isinstance(tracking, MlflowTracking):
        yield Finding("MLflow", ABSENT, f"tracking={tracking.name} records nothing in it")
    elif tracking.uri.startswith(("http://", "https://")):
        yield _server(tracking)
    elif (file := database(tracking.uri)) is None:
        yield Finding("MLflow", OK, f"{_masked(tracking.uri)} is left to MLflow: only sqlite files and servers are looked at")
    elif not file.exists():
        yield Finding("MLflow", OK, f"{file} is not there yet; the first run makes it")
    else:
        yield _file(file)


def _server(tracking: MlflowTracking) -> Finding:
    import httpx

    shown = _masked(tracking.uri)
    try:
        answer = httpx.get(f"{tracking.uri.rstrip('/')}/health", timeout=min(tracking.timeout, 10))
    except httpx.HTTPError as error:
        return Finding("MLflow", FAIL, f"{shown} does not answer ({type(error).__name__})", f"start the server, {ELSEWHERE}")
    fine = answer.status_code == httpx.codes.OK
    remedy = "" if fine else f"see to the server, {ELSEWHERE}"
    return Finding("MLflow", OK if fine else FAIL, f"{shown} answers {answer.status_code}", remedy)


def _masked(uri: str) -> str:
    """An address without the name and password that it may carry."""
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))


def _file(file: Path) -> Finding:
    """A database of runs, opened for reading only."""
    try:
        found, runs = _read(file)
    except sqlite3.Error as error:
        return Finding("MLflow", FAIL, f"{file} cannot be read: {error}", f"restore it from a copy, or {ELSEWHERE}")
    wanted = _revision()
    if found == wanted:
        return Finding("MLflow", OK, f"{file}, {runs} runs, schema {found}")
    remedy = f"keep a copy, then: mlflow db upgrade sqlite:///{file}; or {ELSEWHERE}"
    return Finding("MLflow", FAIL, f"{file} has schema {found}, and this MLflow wants {wanted}", remedy)


def _read(file: Path) -> tuple[str, int]:
    """Schema version and number of runs; raises `sqlite3.Error` for what is no database of MLflow's."""
    connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
    try:
        version = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        runs = connection.execute("SELECT COUNT(*) FROM runs").fetchone()
    finally:
        connection.close()
    return str(version[0] if version else None), int(runs[0])


def _revision() -> str | None:
    """The schema version that the installed MLflow works with."""
    from alembic.script import ScriptDirectory

    place = find_spec("mlflow.store.db_migrations")
    folders = place.submodule_search_locations if place else None
    return ScriptDirectory(next(iter(folders))).get_current_head() if folders else None


def hub_token(_config: Config) -> Iterator[Finding]:
    """Whether there is one, and from where; never what it is."""
    from huggingface_hub import constants, get_token

    variable = next((name for name in _TOKEN_VARIABLES if os.environ.get(name, "").strip()), None)
    if variable:
        yield Finding("hub token", OK, f"there, from the environment variable {variable}")
    elif get_token():
        yield Finding("hub token", OK, f"there, from the file {constants.HF_TOKEN_PATH}")
    else:
        yield Finding("hub token", ABSENT, "none; it is only needed for gated models and for export=hub")
