"""The terms of a reward set: names in YAML become functions of `trivium.scores`, their options bound without calling them."""

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from trivium.binding import Problems, bind_fields, bind_value, nearest, type_name
from trivium.errors import ConfigError
from trivium.schema import Config, RewardConfig, TermConfig
from trivium.scores.ask import Score

GIVEN = ("completion", "sample")
"""What every score is called with; its other parameters are options."""


@dataclass(frozen=True)
class Term:
    """A bound reward: called as `fn(completion, sample, **args)`; `weight`, `layer` and `passes` as in `TermConfig`."""

    name: str
    fn: Score
    weight: float = 1.0
    layer: int = 0
    passes: float | None = None
    args: dict[str, Any] = field(default_factory=dict)


def terms(data: Mapping[str, Any], path: str = "reward.terms") -> list[Term]:
    """The terms of a set in their order. Raises `ConfigError` with every problem in them, `path` before each."""
    problems = Problems()
    found = [_term(str(name), value, f"{path}.{name}", problems) for name, value in data.items()]
    if problems:
        raise ConfigError(problems)
    return [term for term in found if term is not None]


def gold(config: RewardConfig) -> list[Term]:
    """The gold reward, or nothing where there is none. Raises `ConfigError` with every problem in it."""
    return terms({"gold": config.gold}, "reward") if config.gold else []


@cache
def scores() -> dict[str, Score]:
    """Every score by the name it has in YAML, `module.function`."""
    import trivium.scores

    found: dict[str, Score] = {}
    for module in pkgutil.iter_modules(trivium.scores.__path__):
        loaded = importlib.import_module(f"trivium.scores.{module.name}")
        functions = inspect.getmembers(loaded, inspect.isfunction)
        ours = {f"{module.name}.{name}": fn for name, fn in functions if fn.__module__ == loaded.__name__ and _is_score(fn)}
        found.update(ours)
    return found


def options(fn: Score) -> dict[str, inspect.Parameter]:
    """A score's own options, with annotations as types."""
    hints = typing.get_type_hints(fn)
    parameters = inspect.signature(fn).parameters.values()
    return {p.name: p.replace(annotation=hints.get(p.name, Any)) for p in parameters if p.name not in GIVEN}


def _is_score(fn: Any) -> bool:
    return not fn.__name__.startswith("_") and tuple(inspect.signature(fn).parameters)[:2] == GIVEN


def problems_in(config: Config) -> Iterator[str]:
    """Everything wrong in the terms of the reward set, the gold reward and the evaluation."""
    scored = getattr(config.evaluation, "scores", {})
    for data, path in ((config.reward.terms, "reward.terms"), (scored, "evaluation.scores")):
        try:
            terms(data, path)
        except ConfigError as error:
            yield from error.problems
    try:
        gold(config.reward)
    except ConfigError as error:
        yield from error.problems


def _term(name: str, data: Any, path: str, problems: Problems) -> Term | None:
    own = Problems()  # a term that cannot be typed must not silence the next
    typed = bind_fields(TermConfig, data, path, own)
    problems.extend(own)
    if typed is None:
        return None
    known = scores()
    if not typed.fn:
        problems.append(f"{path}.fn: not set; {nearest('', known)}")
        return None
    if typed.fn not in known:
        problems.append(f"{path}.fn: set to {typed.fn!r}; {nearest(typed.fn, known)}")
        return None
    fn = known[typed.fn]
    problems.extend(_wrong_options(fn, typed.fn, typed.args, f"{path}.args"))
    return Term(name, fn, typed.weight, typed.layer, typed.passes, dict(typed.args))


def _wrong_options(fn: Score, name: str, args: Mapping[str, Any], path: str) -> Iterator[str]:
    known = options(fn)
    for key, value in args.items():
        if key not in known:
            yield f"{path}.{key}: {name} has no such option; {nearest(key, known)}"
        elif not bind_value(known[key].annotation, value):
            yield f"{path}.{key}: set to {value!r}; allowed: {type_name(known[key].annotation)}."
    for key, parameter in known.items():
        if parameter.default is inspect.Parameter.empty and key not in args:
            yield f"{path}.{key}: not set; {name} needs it: {type_name(parameter.annotation)}."
