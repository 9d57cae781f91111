"""Who proposes points and who stops hopeless trials: Optuna's classes by our names, and what can be wrong with the choice."""

import hashlib
import inspect
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from importlib.util import find_spec
from operator import or_
from typing import TYPE_CHECKING, Any

from trivium.binding import bind_value, nearest, type_name
from trivium.schema import SweepConfig

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

    Space = Mapping[str, BaseDistribution]

TRIALS = 20
"""Trials of a sweep that names no number, except a grid."""
MOST_CELLS = 100_000
AGAIN = "trivium:again"
"""System attribute of a trial that repeats the point of another: that one's number."""

_SAMPLERS = {
    "tpe": "TPESampler",
    "gp": "GPSampler",
    "random": "RandomSampler",
    "cmaes": "CmaEsSampler",
    "nsgaii": "NSGAIISampler",
    "qmc": "QMCSampler",
}
_PRUNERS = {
    "none": "NopPruner",
    "median": "MedianPruner",
    "percentile": "PercentilePruner",
    "asha": "SuccessiveHalvingPruner",
    "hyperband": "HyperbandPruner",
    "threshold": "ThresholdPruner",
    "patient": "PatientPruner",
    "wilcoxon": "WilcoxonPruner",
}
_KINDS = {"int": int, "float": float, "str": str, "bool": bool, "None": type(None), "dict[str, Any]": dict[str, Any]}
"""Kinds of arguments that a configuration can give; Optuna takes functions and objects too."""
_OURS = ("self", "seed", "args", "kwargs", "wrapped_pruner")


# --- proposing -------------------------------------------------------------------------------------------------------


def sampler(config: SweepConfig, space: "Space", asked: int) -> "BaseSampler":
    """The sampler for the next point, after `asked` ones.

    It is made anew before each: what it has to know stands in the study, so a search that goes on proposes what an
    uninterrupted one would have.
    """
    seed = _seed(config.seed, asked)
    if config.sampler == "grid":
        from trivium.sweep.cells import CellSampler

        return CellSampler(space, config.seed)
    with _calm():
        if config.sampler == "qmc":
            return _qmc(config, seed)
        made: BaseSampler = _sampler_class(config.sampler)(seed=seed, **config.sampler_args)
        return made


def _qmc(config: SweepConfig, seed: int) -> "BaseSampler":
    """The seed scrambles one sequence for all; the first point, which is outside of it, must not return after a failure."""
    from optuna.samplers import QMCSampler, RandomSampler

    first = RandomSampler(seed=seed)
    args = {"warn_independent_sampling": False, **config.sampler_args}
    return QMCSampler(seed=config.seed, independent_sampler=first, **args)


def asked(trials: "Sequence[FrozenTrial]") -> int:
    """How many points were proposed or given so far; a point that is tried again counts once."""
    from optuna.trial import TrialState

    seen: set[int] = set()
    count = 0
    for trial in trials:
        if trial.params and trial.state != TrialState.WAITING:
            count += trial.system_attrs.get(AGAIN) not in seen
            seen.add(trial.number)
    return count


def again(trial: "FrozenTrial", user_attrs: Mapping[str, Any]) -> "FrozenTrial":
    """The same point for `Study.add_trial`, waiting for its turn, with what the sampler has noted about it."""
    from optuna.trial import TrialState, create_trial

    return create_trial(
        state=TrialState.WAITING,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs=dict(user_attrs),
        system_attrs={**_without_reports(trial.system_attrs), AGAIN: trial.number},
    )


def _without_reports(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """A sampler's notes; those of a pruner and of constraints belong to the trial that was."""
    return {key: value for key, value in attrs.items() if not key.startswith(("completed_rung_", "constraints"))}


def _seed(seed: int, asked: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{asked}".encode()).digest()[:4], "big")


def cells(space: "Space") -> int | None:
    """Cells of the grid over a space; None where a setting is continuous."""
    from trivium.sweep.cells import size

    sizes = [size(kind) for kind in space.values()]
    return None if None in sizes else math.prod(n for n in sizes if n is not None)


def exhausted(config: SweepConfig, space: "Space", trials: "Sequence[FrozenTrial]") -> bool:
    """Whether a grid has no cell left that was not tried; never so for other samplers, nor while a point waits its turn."""
    from optuna.trial import TrialState

    if config.sampler != "grid" or any(t.state == TrialState.WAITING for t in trials):
        return False
    from trivium.sweep.cells import visited

    return len(set(visited(space, trials))) == cells(space)


def n_trials(config: SweepConfig, space: "Space") -> int:
    """Finished trials that the study shall have in the end."""
    if config.n_trials is not None:
        return config.n_trials
    return (cells(space) if config.sampler == "grid" else None) or TRIALS


# --- pruning ---------------------------------------------------------------------------------------------------------


def pruner(config: SweepConfig) -> "BasePruner":
    """The pruner; `patient` holds back another one, median unless `wrapped` names it, and hands it the arguments it has not."""
    with _calm():
        return _pruner(config.pruner, config.pruner_args)


def _pruner(name: str, args: Mapping[str, Any]) -> "BasePruner":
    if name != "patient":
        made: BasePruner = _pruner_class(name)(**args)
        return made
    wrapped, own, rest = _unwrapped(args)
    patient: BasePruner = _pruner_class(name)(wrapped_pruner=None if wrapped == "none" else _pruner(wrapped, rest), **own)
    return patient


def _unwrapped(args: Mapping[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The name of the pruner that a patient one wraps, the patient one's arguments, and the other's."""
    own = {key: value for key, value in args.items() if key in ("patience", "min_delta")}
    rest = {key: value for key, value in args.items() if key not in (*own, "wrapped")}
    return str(args.get("wrapped", "median")), own, rest


def _sampler_class(name: str) -> Any:
    import optuna

    return getattr(optuna.samplers, _SAMPLERS[name])


def _pruner_class(name: str) -> Any:
    import optuna

    return getattr(optuna.pruners, _PRUNERS[name])


@contextmanager
def _calm() -> Iterator[None]:
    """Optuna calls half of its classes experimental, at every making of them."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


# --- what can be wrong -----------------------------------------------------------------------------------------------


def problems_in(config: SweepConfig, space: "Space | None") -> Iterator[str]:
    """A sentence for every choice that Optuna cannot take, or that would not do what it says; nothing is searched yet."""
    if config.sampler == "grid":
        yield from _unknown_arguments("sweep.sampler_args", "grid", config.sampler_args, {})
    else:
        yield from _argument_problems("sweep.sampler_args", _sampler_class(config.sampler), config.sampler_args)
    yield from _pruner_problems(config)
    yield from _sampler_problems(config)
    if space:
        yield from _grid_problems(config, space) if config.sampler == "grid" else _space_problems(config, space)


def _sampler_problems(config: SweepConfig) -> Iterator[str]:
    if config.sampler == "cmaes":
        if find_spec("cmaes") is None:
            yield "sweep.sampler: cmaes needs the package cmaes: pip install cmaes; or choose tpe."
        if len(config.sought) > 1:
            yield "sweep.sampler: cmaes seeks one objective; with several, choose tpe, gp or nsgaii."
        if config.constraints:
            yield "sweep.sampler: cmaes ignores constraints; choose tpe, gp or nsgaii, or leave sweep.constraints out."
    total = config.n_trials or TRIALS
    population = config.sampler_args.get("population_size", 50)
    if config.sampler == "nsgaii" and isinstance(population, int) and population >= total:
        yield (
            f"sweep.sampler: nsgaii draws its first {population} points at random, and there are {total} trials; set "
            "sweep.sampler_args.population_size to a quarter of sweep.n_trials or less."
        )


def _space_problems(config: SweepConfig, space: "Space") -> Iterator[str]:
    from optuna.distributions import CategoricalDistribution

    for key, kind in space.items():
        if config.sampler == "cmaes" and isinstance(kind, CategoricalDistribution):
            yield f"sweep.params.{key}: cmaes searches numbers, not choices; give range(…) or interval(…), or choose tpe."


def _grid_problems(config: SweepConfig, space: "Space") -> Iterator[str]:
    from trivium.sweep.cells import size

    for key, kind in space.items():
        if size(kind) is None:
            yield f"sweep.params.{key}: a grid needs values, not an interval; give choice(…) or range(start, stop, step)."
    total = cells(space)
    if total is not None and total > MOST_CELLS:
        yield f"sweep.params: a grid of {total} cells; at most {MOST_CELLS} can be ordered; choose sweep.sampler=random."
    if total is not None and (config.n_trials or 0) > total:
        yield f"sweep.n_trials: set to {config.n_trials}, and the grid has {total} cells; set it to {total} or to null."


def _pruner_problems(config: SweepConfig) -> Iterator[str]:
    key, name, args = "sweep.pruner_args", config.pruner, config.pruner_args
    if name != "none" and len(config.sought) > 1:
        yield f"sweep.pruner: {name} compares one objective, and there are {len(config.sought)}; set sweep.pruner=none."
    if name == "patient":
        name, own, args = _unwrapped(args)
        yield from _argument_problems(key, _pruner_class("patient"), own, build=False)
    if name not in _PRUNERS or (config.pruner == name == "patient"):
        allowed = sorted(set(_PRUNERS) - {"patient"})
        yield f"{key}.wrapped: set to {name!r}; allowed: {', '.join(allowed)}; {nearest(name, allowed)}"
        return
    if "wilcoxon" in (config.pruner, name) and config.repeats < 2:
        yield "sweep.pruner: wilcoxon compares trials seed by seed; set sweep.repeats to 2 or more."
    found = list(_argument_problems(key, _pruner_class(name), args))
    yield from found
    if config.pruner == "patient" and not found and "patience" in config.pruner_args:
        yield from _refusal(key, lambda: _pruner("patient", config.pruner_args))


def _argument_problems(key: str, cls: Any, args: Mapping[str, Any], build: bool = True) -> Iterator[str]:
    """What is wrong with the arguments of a class: names, kinds, what is missing, and, with `build`, what it refuses."""
    known = _arguments(cls)
    kinds = {name: kind for name, one in known.items() if (kind := _kind(one.annotation)) is not None}
    found = list(_unknown_arguments(key, cls.__name__, args, kinds))
    for name in (args.keys() & kinds.keys()) - {"seed"}:
        if not bind_value(kinds[name], args[name]):
            found.append(f"{key}.{name}: set to {args[name]!r}; allowed: {type_name(kinds[name])}.")
    missing = [name for name, one in known.items() if one.default is one.empty and name not in args]
    found += [f"{key}.{name}: not set; {cls.__name__} needs it." for name in missing]
    yield from found
    if build and not found:
        yield from _refusal(key, lambda: cls(**args))


def _unknown_arguments(key: str, owner: str, args: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[str]:
    for name in args:
        if name == "seed":
            yield f"{key}.seed: set sweep.seed instead; each point is drawn with a seed that comes from it."
        elif name not in known:
            yield f"{key}.{name}: nothing that a configuration can give to {owner}; {nearest(name, known)}"


def _refusal(key: str, build: Any) -> Iterator[str]:
    try:
        with _calm():
            build()
    except (ValueError, TypeError) as error:
        yield f"{key}: {str(error).rstrip('.')}."


def _arguments(cls: Any) -> dict[str, inspect.Parameter]:
    return {name: one for name, one in inspect.signature(cls.__init__).parameters.items() if name not in _OURS}


def _kind(annotation: Any) -> Any:
    """The type that an annotation names, None if no configuration can give such a value."""
    words = annotation.split(" | ") if isinstance(annotation, str) else [annotation.__name__]
    return reduce(or_, (_KINDS[word] for word in words)) if all(word in _KINDS for word in words) else None
