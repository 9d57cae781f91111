"""What an examination finds."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from trivium.schema import Config

OK, WARN, FAIL, ABSENT = "ok", "warn", "fail", "absent"
"""Fine; works, though not as it should; does not work; not there, and not needed by this configuration."""
STATUSES = (OK, WARN, FAIL, ABSENT)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: its status, what was found, and what to do about it."""

    name: str
    status: str
    detail: str
    remedy: str = ""


Look = Callable[[Config], Iterable[Finding]]


@dataclass(frozen=True)
class Check:
    """Something to look at, and the errors that it can meet: they are findings, too."""

    name: str
    look: Look
    errors: tuple[type[Exception], ...] = (OSError,)
    remedy: str = ""

    def findings(self, config: Config) -> Iterator[Finding]:
        """What it finds; an error that it can meet ends it with a failure."""
        try:
            yield from self.look(config)
        except self.errors as error:
            yield failed(self.name, error, self.remedy)


def failed(name: str, error: BaseException, remedy: str = "") -> Finding:
    """An error as a finding; a sentence of ours says itself what to do."""
    from trivium.errors import TriviumError

    words = " ".join(str(error).split())[:300]
    if isinstance(error, TriviumError):
        found, _, way = words.partition("; ")
        return Finding(name, FAIL, found, way or remedy)
    return Finding(name, FAIL, f"{type(error).__name__}: {words}" if words else type(error).__name__, remedy)
