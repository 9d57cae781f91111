"""What a report is made from besides the trials, and what it comes to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trivium.maths.statistics import Estimate

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


@dataclass(frozen=True)
class Confirmed:
    """One training with a fresh seed: `which` is best, default or front-<n>, n counting the points of the front from 0."""

    which: str
    seed: int
    metrics: Mapping[str, float]
    folder: Path


@dataclass(frozen=True)
class StudyFacts:
    """A study as it was asked for, and what was measured outside its trials."""

    study: str
    experiment: str
    n_trials: int
    """Finished trials that were asked for."""
    fixed: Sequence[str] = ()
    """Overrides that every trial had, as on the command line."""
    space: Mapping[str, str] = field(default_factory=dict)
    """The search space, in Hydra's words."""
    distributions: "Mapping[str, BaseDistribution]" = field(default_factory=dict)
    base: Mapping[str, float] = field(default_factory=dict)
    """Metrics of the base model, by their plain names."""
    default: Mapping[str, float] = field(default_factory=dict)
    """Metrics of the experiment without any swept value, where it was trained."""
    confirmed: Sequence[Confirmed] = ()
    words: Mapping[tuple[str, ...], Sequence[str]] = field(default_factory=dict)
    """Of a point, by its own overrides: all that make its configuration without the sweep; else `fixed` and its own."""
    best_is_default: bool = False


@dataclass(frozen=True)
class Comparison:
    """A metric of the best point and of the default, trained with fresh seeds, and their paired difference."""

    metric: str
    best: Estimate
    seeds: int
    default: Estimate | None = None
    difference: Estimate | None = None


@dataclass(frozen=True)
class Report:
    """What was written and found. `commands` and `overrides` have one entry, or one for each point of the front."""

    page: Path
    plots: Sequence[Path]
    left_out: Mapping[str, str]
    """Plots that do not apply, with the reason."""
    experiments: Sequence[Path]
    commands: Sequence[str]
    overrides: Sequence[Sequence[str]]
    sentences: Sequence[str]
    """The answer, in words."""
    metrics: Sequence[str]
    table: Sequence[Sequence[str]]
    """The answer in figures: what, measured on what, and a cell for each of `metrics`."""
    importance: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    """Of each objective: share of each parameter."""
    confirmed: Sequence[Comparison] = ()
    """Of the best point, one for each objective."""
    front_confirmed: Mapping[str, Sequence[Comparison]] = field(default_factory=dict)
    """Of each confirmed point of a front."""
