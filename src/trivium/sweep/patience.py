"""Waiting for a storage that is away for a while: a server that is killed, started anew, or cannot be reached."""

import logging
from collections.abc import Callable
from typing import TypeVar

import stamina

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Patience:
    """Tries a call again while its failures are passing ones, `seconds` at most.

    `away` gives the reason, in a line, of a failure that may be over in a moment, and nothing of another; `meaning` gives what
    is raised for a failure in the end. Only failures of the types `awaited` are looked at.
    """

    def __init__(
        self,
        who: str,
        seconds: float,
        awaited: tuple[type[Exception], ...],
        away: Callable[[Exception], str | None],
        meaning: Callable[[Exception], Exception],
    ) -> None:
        self._who, self._seconds, self._awaited, self._away, self._meaning = who, seconds, awaited, away, meaning

    def __call__(self, call: Callable[[], T]) -> T:
        """What the call gives."""
        told = False

        def passes(error: Exception) -> bool:
            nonlocal told
            why = self._away(error) if isinstance(error, self._awaited) else None
            if why is not None and not told:
                logger.warning("%s does not answer (%s); waiting for it, %d s at most.", self._who, why, self._seconds)
                told = True
            return why is not None

        attempts = stamina.retry_context(on=passes, attempts=None, timeout=self._seconds, wait_max=1.0, wait_jitter=0.5)
        try:
            for attempt in attempts:
                with attempt:
                    return call()
        except self._awaited as error:
            meant = self._meaning(error)
            raise meant from (error if meant is not error else error.__cause__)
        raise AssertionError("stamina returns or raises")
