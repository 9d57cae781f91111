"""What a run knows of the search that it is a trial of."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Place:
    """Where a trial stands in MLflow: below `parent`, in the run `run_id` if there is one already.

    `awaited` names the metrics that are known when it has ended; MLflow's pages show first what a run had first.
    """

    parent: str | None = None
    run_id: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    awaited: tuple[str, ...] = ()


class Trial(Protocol):
    """One trial, as the run that does its work sees it."""

    objective: str
    """The metric that is estimated while training; the first, where several are sought."""
    every: int | None
    """Optimiser steps between estimates; None makes none."""
    items: int
    """Held-out items, of each kind, behind an estimate."""
    place: Place
    audited: bool
    """Whether losses and rewards are audited before it trains, as before an ordinary run."""

    def started(self, run_id: str | None) -> None:
        """The MLflow run that the trial is recorded in."""

    def report(self, value: float, step: int) -> None:
        """An estimate of the objective after so many optimiser steps; raises `Pruned` when the trial is hopeless."""
