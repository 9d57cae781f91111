"""Where a study is kept: a database or a journal in its folder, MLflow, or any database that a URL names."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.binding import nearest
from trivium.errors import ConfigError, TriviumError
from trivium.schema import MlflowTracking

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

NAMES = ("sqlite", "journal", "mlflow")
ENVIRONMENT = "env:"
LOCK = "storage.lock"
PATIENCE = {
    "sqlite": {"timeout": 60},
    "postgresql": {"connect_timeout": 20},
    "mysql": {"connect_timeout": 20},
    "mariadb": {"connect_timeout": 20},
}
"""Seconds that a connection waits for the lock of another, or for a server; drivers not named keep their own patience."""

CHATTY = {
    "alembic": logging.WARNING,
    "mlflow.store.db.utils": logging.CRITICAL,
    "stamina": logging.ERROR,
    "urllib3.connectionpool": logging.ERROR,
}
"""Who would tell each attempt of a storage that waits, and from what level on they may."""


def problems_in(where: str) -> Iterator[str]:
    """A sentence if `sweep.storage` is neither one of our words nor a URL, or would put a password into records."""
    named = where.removeprefix(ENVIRONMENT)
    if named != where and named not in os.environ:
        yield f"sweep.storage={where}: the environment has no {named}; set it to the database's URL."
    elif named == where and where not in NAMES and "://" not in where:
        yield (
            f"sweep.storage: set to {where!r}; allowed: {', '.join(NAMES)}, a database's URL such as postgresql://host/name, "
            f"or env:<variable that holds it>; {nearest(where, NAMES)}"
        )
    elif _password(where):
        yield (
            f"sweep.storage: {_shown(where)} holds a password, which would be recorded with every run; put the URL into an "
            "environment variable, and set sweep.storage=env:<its name>."
        )


def open_storage(where: str, folder: Path, tracking: Any, again: bool = False) -> "BaseStorage":
    """The storage of the study in `folder`; processes that open the same one share what it holds.

    `tracking` is the run's `config.tracking`. A server's database that was open before and is opened `again` is waited for when
    it does not answer. Raises `ConfigError` for a `where` that cannot be, `TriviumError` for a storage that does not open.
    """
    if problems := list(problems_in(where)):
        raise ConfigError(problems)
    _quiet()
    folder.mkdir(parents=True, exist_ok=True)
    openers: dict[str, Callable[[], BaseStorage]] = {
        "sqlite": lambda: _database(f"sqlite:///{folder}/study.db", folder, again),
        "journal": lambda: _journal(folder / "study.journal"),
        "mlflow": lambda: _mlflow(folder, tracking),
    }
    url = os.environ[where.removeprefix(ENVIRONMENT)] if where.startswith(ENVIRONMENT) else where
    return openers.get(where, lambda: _database(url, folder, again))()


def _quiet() -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for chatty, level in CHATTY.items():
        logging.getLogger(chatty).setLevel(level)


def _mlflow(folder: Path, tracking: Any) -> "BaseStorage":
    if not isinstance(tracking, MlflowTracking):
        raise ConfigError(
            "sweep.storage: set to 'mlflow', which keeps the study in MLflow, but the runs are not recorded there; set "
            "tracking=mlflow, or sweep.storage=sqlite."
        )
    from trivium.sweep.mlflow_storage import MlflowStorage

    return MlflowStorage(tracking, folder / LOCK)


def _journal(path: Path) -> "BaseStorage":
    from optuna.storages import JournalStorage

    from trivium.sweep.journal import Journal

    try:
        return JournalStorage(Journal(path))
    except (ValueError, KeyError) as error:
        raise TriviumError(
            f"{path} holds a line that no study wrote ({error}); restore the file from a copy, or begin anew with "
            "sweep.study=<another name>."
        ) from error


def _database(url: str, folder: Path, again: bool) -> "BaseStorage":
    """A database, its tables made by one process at a time."""
    from filelock import FileLock
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage, get_storage
    from sqlalchemy.exc import SQLAlchemyError

    from trivium.sweep.database import Database

    kind = url.split(":", 1)[0].split("+")[0]
    settings = {"connect_args": dict(PATIENCE.get(kind, {})), "pool_pre_ping": True}
    try:
        with FileLock(folder / LOCK):
            storage = RDBStorage(url, settings) if kind == "sqlite" else Database(url, _shown(url), settings, made=again)
    except ImportError as error:
        raise TriviumError(
            f"{_shown(url)} needs a database driver that is not installed here: {_why(error, url)}; install it (for "
            'PostgreSQL: pip install "trivium[postgresql]", and a URL that begins with postgresql+psycopg://).'
        ) from error
    except (SQLAlchemyError, StorageInternalError, RuntimeError, OSError, ValueError) as error:
        raise TriviumError(
            f"the study's database {_shown(url)} cannot be opened: {_why(error, url)}; check its address, user, password and "
            "disk, or choose sweep.storage=sqlite."
        ) from error
    return get_storage(storage)


def _shown(url: str) -> str:
    """The URL without its password."""
    password = _password(url)
    return url.replace(f":{password}@", ":***@") if password else url


def _password(url: str) -> str:
    """What stands between the first colon after the scheme and the last @."""
    account, at, _ = url.partition("://")[2].rpartition("@")
    return account.partition(":")[2] if at else ""


def _why(error: BaseException, url: str) -> str:
    """The innermost reason in one line, without the URL's password."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    text = " ".join(str(getattr(error, "orig", None) or error).split("\n(Background")[0].split())
    password = _password(url)
    return (text.replace(password, "***") if password else text)[:200].rstrip(". ")
