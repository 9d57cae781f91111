"""A study in a database of a server's, which may be away for a while."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy.exc import InterfaceError, OperationalError

from trivium.errors import TriviumError
from trivium.sweep.patience import Patience

SECONDS = 90
"""How long a database may be away."""
BELOW_CACHE = ("_create_new_trial", "_set_trial_param", "_get_trials", "_get_best_trial_id")
"""What Optuna's cache asks for beside the methods of every storage."""


class Database(RDBStorage):
    """Optuna's storage, whose every call is made again while the server is away, and raises `TriviumError` after `SECONDS`.

    A call may have reached the database before its answer was lost. What is then there twice is a trial that no worker owns,
    which is ended like that of a worker that died.
    """

    def __init__(self, url: str, shown: str, engine_kwargs: dict[str, Any], made: bool) -> None:
        """Make the tables if they are missing; only a database that was `made` before is waited for."""
        awaited = (StorageInternalError, OperationalError, InterfaceError)
        self._shown, self._patiently = shown, Patience(f"the study's database {shown}", SECONDS, awaited, away, self._meaning)
        opened = partial(super().__init__, url, engine_kwargs)
        self._patiently(opened) if made else opened()

    def _meaning(self, error: Exception) -> Exception:
        if (why := away(error)) is None:
            return error
        return TriviumError(
            f"the study's database {self._shown} was away for {SECONDS} s ({why}); bring it back and give the same command "
            "again: the study goes on where it was."
        )


def away(error: Exception) -> str | None:
    """The server's or the driver's words for why a connection failed; None for a failure of another kind."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if not isinstance(cause, OperationalError | InterfaceError):
        return None
    return " ".join(str(cause.orig).split())[:200].rstrip(". ")


def _patient(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def asked(self: Database, *args: Any, **kwargs: Any) -> Any:
        return self._patiently(lambda: method(self, *args, **kwargs))

    return asked


for _name in (*BaseStorage.__abstractmethods__, *BELOW_CACHE):
    setattr(Database, _name, _patient(getattr(RDBStorage, _name)))
