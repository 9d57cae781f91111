"""What the user typed: overrides sorted into group choices and values, and every problem in them found at once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trivium import tiers
from trivium.binding import nearest
from trivium.check import bind
from trivium.compose import GROUPS, compose, options
from trivium.errors import ConfigError
from trivium.hardware import detect
from trivium.schema import VARIANTS, Config

MAPPINGS = ("arms", "dataset.where", "dataset.fields", "reward.terms", "evaluation.scores", "hydra")
"""Keys whose entries are the user's own."""


def is_override(arg: str) -> bool:
    """Whether a command-line word is a Hydra override and not a flag."""
    return not arg.startswith("-") and ("=" in arg or arg.startswith("~"))


def key_of(override: str) -> str:
    """The bare key of an override: `loss.alpha` of `+loss.alpha=2`."""
    return override.split("=", 1)[0].lstrip("+~")


def is_choice(override: str) -> bool:
    """Whether an override chooses an option of a group (`loss=uniform`)."""
    return key_of(override).split("@")[0] in GROUPS


def loosen(override: str) -> str:
    """The same override in the form that Hydra never refuses for an unknown key; the check pass judges it instead."""
    plain = override[:1] not in "+~" and not is_choice(override) and not key_of(override).startswith("hydra")
    return f"++{override}" if plain else override


def checked(overrides: list[str], config_dir: Path | None = None) -> Config:
    """The typed configuration of overrides. Hydra must be initialised.

    Raises `ConfigError` with every problem of the command line and of the composed configuration.
    """
    problems = [p for o in overrides if is_choice(o) for p in _choice_problems(o, config_dir)]
    problems += [f"{o}: only entries of {', '.join(MAPPINGS)} can be taken away." for o in overrides if _takes_away(o)]
    overrides = [o for o in overrides if not _takes_away(o)]
    kept = [loosen(o) for o in overrides if not (is_choice(o) and any(_choice_problems(o, config_dir)))]
    composed, refused = _composed_here(kept, config_dir)
    problems += refused
    try:
        config = bind(composed)
    except ConfigError as error:
        raise ConfigError(problems + error.problems) from None
    if problems:
        raise ConfigError(problems)
    return config


def _composed_here(overrides: list[str], config_dir: Path | None) -> tuple[dict[str, Any], list[str]]:
    """The same with the tier of this machine in place of `hardware=auto`, whether the user or an option file chose that."""
    auto = f"hardware={tiers.AUTO}"
    found = None if auto in overrides else _composed(overrides, config_dir)
    if found is not None and found[0]["hardware"]["name"] != tiers.AUTO:
        return found
    choice = tiers.choose(detect())
    found = _composed([*(o for o in overrides if o != auto), f"hardware={choice.tier}"], config_dir)
    choice.apply(found[0]["hardware"])
    return found


def _takes_away(override: str) -> bool:
    """Whether an override deletes what every configuration has."""
    return override.startswith("~") and not key_of(override).startswith(tuple(f"{name}." for name in MAPPINGS))


def _choice_problems(override: str, config_dir: Path | None) -> Iterator[str]:
    group, _, option = override.partition("=")
    group = group.lstrip("+~").split("@")[0]
    known = options(group, config_dir)
    several = option.startswith("[")
    for name in map(str.strip, option.strip("[]").split(",")) if several else [option]:
        if name and name not in known:
            yield f"{group}={option}: no such option{f' as {name}' if several else ''}; {nearest(name, known)}"


def _composed(overrides: list[str], config_dir: Path | None) -> tuple[dict[str, Any], list[str]]:
    """What Hydra makes of the overrides, without those that it cannot compose, and a sentence for each of these."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        return compose(overrides, config_dir), []
    except (HydraException, OmegaConfBaseException):
        choices = [o for o in overrides if is_choice(o)]
    if broken := [problem for choice in choices if (problem := _choice_refused(choice, config_dir))]:
        return compose([], config_dir), broken
    problems, kept = [], []
    for override in overrides:
        try:
            compose([*(c for c in choices if c != override), override], config_dir)
            kept.append(override)
        except (HydraException, OmegaConfBaseException) as error:
            problems.append(_refusal(override.lstrip("+"), error))
    return compose(kept, config_dir), problems


def _choice_refused(choice: str, config_dir: Path | None) -> str | None:
    """Why an option file cannot be composed by itself, None where it can."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        compose([choice], config_dir)
    except (HydraException, OmegaConfBaseException) as error:
        return f"{choice}: the option file does not fit its group ({' '.join(str(error).split())[:160]}); see docs/config.md."
    return None


def _refusal(override: str, error: Exception) -> str:
    from hydra.errors import OverrideParseException

    if isinstance(error, OverrideParseException):
        return f"{override}: cannot be read; quote texts with special characters, for example key='a=b' or key=['x=1','y=2']."
    words = " ".join(str(error).split())
    if words.startswith("Error merging override"):
        words = "a value of this kind cannot stand here; docs/config.md says what may."
    return f"{override}: {words}"


def for_arm(overrides: list[str], arm: list[str]) -> list[str]:
    """The overrides of a control arm: the user's own, then the arm's.

    A group that the arm chooses is the arm's: the user's choice of it is dropped, and so are the user's values for keys
    that the chosen option does not have.
    """
    chosen = dict(o.split("=", 1) for o in arm if is_choice(o))
    return [o for o in overrides if _survives(o, chosen)] + [loosen(o) for o in arm]


def _survives(override: str, chosen: dict[str, str]) -> bool:
    group, _, rest = key_of(override).partition(".")
    if group not in chosen:
        return True
    schema: Any = VARIANTS.get(group, {}).get(chosen[group])
    return bool(rest) and (schema is None or rest.split(".")[0] in schema.__dataclass_fields__)
