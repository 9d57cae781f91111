"""Control arms: the experiment itself and its siblings, which differ from it in a few named overrides."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from trivium.errors import ConfigError
from trivium.overrides import for_arm
from trivium.schema import Config


@dataclass(frozen=True)
class Arm:
    """One training of an experiment; `main` marks the one that the experiment's own configuration describes."""

    name: str
    config: Config
    main: bool


def plan(config: Config, overrides: list[str], check: Callable[[list[str]], Config]) -> list[Arm]:
    """The arms of an experiment, in the order of its configuration.

    The main arm is the one whose configuration equals the experiment's own; if none does, the experiment is added under
    the name of its loss. Raises `ConfigError` with the problems of all arms.
    """
    arms, problems = [], []
    for name, changes in (config.arms or {}).items():
        try:
            arms.append(Arm(name, check(for_arm(overrides, changes)), False))
        except ConfigError as error:
            problems += [f"arms.{name}: {problem}" for problem in error.problems]
    if problems:
        raise ConfigError(problems)
    if lost := list(_without_start(config, arms)):
        raise ConfigError(lost)
    main = next((i for i, arm in enumerate(arms) if _same(arm.config, config)), None)
    if main is None:
        return [*arms, Arm(_free_name(config.loss.name, arms), config, True)]
    arms[main] = replace(arms[main], main=True)
    return arms


def _without_start(config: Config, arms: list[Arm]) -> Iterator[str]:
    """A sentence for each arm whose start is no other arm, or in the end itself."""
    starts = {arm.name: arm.config.starts_from for arm in arms}
    for name, start in [*starts.items(), ("", config.starts_from)]:
        key = f"arms.{name}: starts_from" if name else "starts_from"
        if start is not None and start not in starts:
            others = ", ".join(other for other in starts if other != name) or "none"
            yield f"{key}={start} is no arm; the other arms are: {others}; give one of them, or null for the base model."
        elif _goes_round(start, starts):
            yield f"{key}={start} leads back to itself; let one arm start from the base model (starts_from=null)."


def _goes_round(start: str | None, starts: Mapping[str, str | None]) -> bool:
    """Whether going from start to start never comes to the base model."""
    passed: set[str] = set()
    while start is not None and start in starts and start not in passed:
        passed.add(start)
        start = starts[start]
    return start in passed


def _same(a: Config, b: Config) -> bool:
    return replace(a, arms=None) == replace(b, arms=None)


def _free_name(name: str, arms: list[Any]) -> str:
    return name if all(arm.name != name for arm in arms) else f"{name}_as_set"
