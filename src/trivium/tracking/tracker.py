"""What a tracker is, and several as one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from trivium.tracking.told import Told


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
        """The end; `status` is `ok`, `failed`, `gate_failed` or `pruned`."""


class Trackers:
    """Several trackers as one; what is `told` of a step already is not said again."""

    def __init__(self, *trackers: Tracker, told: Told | None = None) -> None:
        self._trackers, self._told = trackers, told
        self._children: list[Trackers] = []
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
        values = values if self._told is None else self._told.news(values, step)
        for tracker in self._trackers if values else ():
            tracker.metrics(values, step)

    def table(self, name: str, columns: Mapping[str, list[Any]], step: int) -> None:
        """To each."""
        told = self._told is not None and self._told.table(name, step)
        for tracker in self._trackers if not told else ():
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
        told = Told(out)
        self._children.append(Trackers(*(tracker.child(name, out) for tracker in self._trackers), told=told))
        return self._children[-1]

    def finish(self, status: str) -> None:
        """Each, once, and the children that have not ended before."""
        for child in self._children:
            child.finish(status)
        trackers, self._trackers = self._trackers, ()
        for tracker in trackers:
            tracker.finish(status)
