"""Schema of the key `sweep`, which the options of the group of that name fill."""

from dataclasses import dataclass
from typing import Any

from trivium.schema.fields import opt

SAMPLERS = ("tpe", "gp", "random", "grid", "cmaes", "nsgaii", "qmc")
PRUNERS = ("none", "median", "percentile", "asha", "hyperband", "threshold", "patient", "wilcoxon")


@dataclass
class SweepConfig:
    """A search over settings, by trials that one study remembers (with `-m`)."""

    name: str = opt("none", "Label; none runs one experiment for each combination of values and keeps no study.")
    study: str | None = opt(None, "Name of the study and of its folder below multirun/<name>; null takes the sweep's name.")
    params: dict[str, str] = opt(
        {}, "The search space, key: choice(…), range(…), interval(…) or tag(log, interval(…)), as on the command line."
    )
    objectives: list[str] = opt(
        ["maximize eval/source_preference"], "What is sought: maximize or minimize, and a metric of the evaluation."
    )
    constraints: list[str] = opt([], "What a good trial must keep, for example eval/general_ppl_ratio <= 1.1.")
    points: list[dict[str, Any]] = opt([], "Points of the search space to try first.")
    n_trials: int | None = opt(
        None, "Finished trials (complete or pruned) that the study has in the end; null: 20, or the cells of a grid.", ge=1
    )
    sampler: str = opt("tpe", "Who proposes points.", choices=SAMPLERS)
    sampler_args: dict[str, Any] = opt({}, "Arguments of Optuna's class of that sampler.")
    pruner: str = opt("none", "Who stops hopeless trials.", choices=PRUNERS)
    pruner_args: dict[str, Any] = opt({}, "Arguments of Optuna's class of that pruner; patient: wrapped, the name of another.")
    report_steps: int = opt(25, "Optimiser steps between estimates of the objective while a trial trains.", ge=1)
    report_items: int = opt(48, "Held-out items, of each kind, behind such an estimate.", ge=4)
    repeats: int = opt(1, "Trainings of every trial, each with another seed; the objective is their mean.", ge=1, le=100)
    confirm: int = opt(
        3, "Fresh seeds with which the best point and the default are trained at the end; 0 leaves it out.", ge=0, le=100
    )
    seed: int = opt(0, "Seed of the sampler.", ge=0, le=2**32 - 1)
    storage: str = opt(
        "sqlite",
        "Where the study is kept: sqlite or journal (a file in its folder), mlflow, a database's URL, or env:<variable> for "
        "one that a variable holds, so that no password is recorded.",
    )
    workers: int = opt(1, "Processes that work on trials at the same time.", ge=1, le=1024)
    fresh_process: bool = opt(False, "A process of its own for every trial, instead of one that goes on to the next.")
    gpus: list[int] | None = opt(None, "GPUs handed out to the workers, one each; null leaves CUDA_VISIBLE_DEVICES alone.")
    on_failure: str = opt(
        "record",
        "What follows a failed trial: another point, the same point again, the end.",
        choices=("record", "retry", "abort"),
    )
    retries: int = opt(2, "How often a point is tried again after on_failure=retry, or after its process died.", ge=0)
    max_failure_rate: float = opt(0.5, "Share of failed trials, of at least four, that ends the sweep.", gt=0, le=1)
    trial_timeout: float | None = opt(None, "Seconds after which a trial is given up as hanging; null waits.", gt=0)
    timeout: float | None = opt(None, "Seconds after which no new trial is begun; null sets no limit.", gt=0)

    @property
    def watched(self) -> bool:
        """Whether trials are looked at while they train; Wilcoxon's pruner looks between the repeats of a point."""
        return self.pruner not in ("none", "wilcoxon")

    @property
    def sought(self) -> dict[str, str]:
        """The direction of every objective, by its metric."""
        return {metric: direction for direction, _, metric in (text.partition(" ") for text in self.objectives)}
