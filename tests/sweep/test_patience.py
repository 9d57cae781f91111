"""A storage that is away for a while is waited for, and no longer than that."""

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from trivium.sweep.patience import Patience


class Refused(Exception):
    pass


class Lost(Refused):
    pass


class GivenUp(Exception):
    pass


def patience(seconds: float) -> Patience:
    away: Callable[[Exception], str | None] = lambda error: "no route" if isinstance(error, Lost) else None  # noqa: E731
    return Patience("the database", seconds, (Refused,), away, lambda error: GivenUp(type(error).__name__))


def failing(*errors: Exception) -> Callable[[], Any]:
    """A call that raises these, one after the other, and then gives how often it was called."""
    left, calls = [*errors], []

    def call() -> int:
        calls.append(1)
        if left:
            raise left.pop(0)
        return len(calls)

    return call


def test_what_passes_is_waited_for_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert patience(30)(failing(Lost(), Lost())) == 3
    own = [record.getMessage() for record in caplog.records if record.name.startswith("trivium")]
    assert own == ["the database does not answer (no route); waiting for it, 30 s at most."]


def test_what_does_not_pass_is_raised_at_once() -> None:
    call = failing(Refused(), Refused())
    with pytest.raises(GivenUp, match="Refused") as raised:
        patience(30)(call)
    assert isinstance(raised.value.__cause__, Refused)
    with pytest.raises(GivenUp):
        call = failing(Lost(), Refused())
        patience(30)(call)
    with pytest.raises(ValueError, match="of another kind"):
        patience(30)(failing(ValueError("of another kind")))


def test_patience_ends() -> None:
    began = time.monotonic()
    with pytest.raises(GivenUp, match="Lost"):
        patience(0.5)(failing(*[Lost() for _ in range(100)]))
    assert 0.1 < time.monotonic() - began < 10
