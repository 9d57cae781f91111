"""How a run is made again: its settings, and of the command line what concerns the place."""

import copy
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from trivium.arms import Arm
from trivium.check import bind
from trivium.errors import ConfigError
from trivium.overrides import checked, key_of
from trivium.reproduce.source import read
from trivium.schema import Config, PersonaEvaluation
from trivium.serving.settings import put

CHANGEABLE = ("task", "reproduces", "fork", "name", "tracking", "cache_dir", "hardware", "plan", "alerts")
MOVED = ("dataset.path", "dataset.library.general.path", "model.path", "model.chat_template", "backend.python")
"""Settings that may be given with `task=reproduce`: whole groups, and where things lie that are told by what they hold."""
STAGES = ("prepare", "train", "evaluate")


def planned(overrides: list[str], config_dir: Path | None) -> tuple[Config, list[Arm]]:
    """The configuration and the arms that make the run again which `reproduces` names. Hydra must be initialised.

    Raises `ConfigError` with every problem: no such run, settings that are the run's own, files that are gone.
    """
    moved = {key_of(o): _value(o) for o in overrides if key_of(o) in MOVED}
    own = [o for o in overrides if key_of(o).split("@")[0].split(".")[0] in CHANGEABLE]
    problems = [_refusal(o) for o in overrides if o not in own and key_of(o) not in MOVED]
    try:
        said = checked(["experiment=none", *own], config_dir)
    except ConfigError as error:
        raise ConfigError(problems + error.problems) from None
    if said.reproduces is None:
        problems.append("task=reproduce needs the run: reproduces=<its id in MLflow, or its folder>.")
    elif said.task != "reproduce":
        problems.append(f"reproduces={said.reproduces} needs task=reproduce.")
    if problems or said.reproduces is None:
        raise ConfigError(problems)
    source = read(said.reproduces, said.tracking)
    config = _made(source.settings, own, said, moved)
    arms = [Arm(name, _made(told, own, said, moved), False) for name, told in source.arms.items()]
    main = next((i for i, arm in enumerate(arms) if replace(arm.config, arms=None) == replace(config, arms=None)), None)
    if main is not None:
        arms[main] = replace(arms[main], main=True)
    return config, arms if main is not None else [Arm(config.loss.name, config, True)]


def _value(override: str) -> str:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return str(OverridesParser.create().parse_override(override).value())
    except HydraException:
        raise ConfigError(f"{override}: cannot be read; quote a path with special characters.") from None


def _refusal(override: str) -> str:
    return (
        f"{key_of(override)}: a run that is made again keeps its settings; only {', '.join((*CHANGEABLE, *MOVED))} can be set "
        "with task=reproduce. Leave it out."
    )


def _made(recorded: Mapping[str, Any], own: list[str], said: Config, moved: Mapping[str, str]) -> Config:
    """Recorded settings with what the command line says; gates, which only judge, end nothing."""
    words, told = asdict(said), copy.deepcopy(dict(recorded))
    for key, place in moved.items():
        _move(told, key.split("."), place)
    known = {f.name for f in fields(Config)}
    settings = {**told, "from_run": None, "fork": said.fork, "task": said.task, "reproduces": said.reproduces}
    settings |= {"tracking": words["tracking"], "cache_dir": said.cache_dir, "export": words["export"]}
    settings["stages"] = [stage for stage in told["stages"] if stage in STAGES]
    for override in own:
        path = key_of(override).split("@")[0].split(".")
        if path[0] in known:
            put(settings, path, words)
    try:
        return _without_gates(bind(settings))
    except ConfigError as error:
        raise ConfigError([f"reproduces={said.reproduces}: {problem}" for problem in error.problems]) from None


def _move(told: dict[str, Any], keys: list[str], place: str) -> None:
    """Say where something lies, as far as the settings name such a thing."""
    for key in keys[:-1]:
        told = told[key]
    if told[keys[-1]] is not None:
        told[keys[-1]] = place


def _without_gates(config: Config) -> Config:
    evaluation, contamination = config.evaluation, replace(config.dataset.contamination, mode="warn")
    return replace(
        config,
        dataset=replace(config.dataset, gate="warn", contamination=contamination),
        evaluation=replace(evaluation, gate="warn") if isinstance(evaluation, PersonaEvaluation) else evaluation,
        reward=replace(config.reward, audit="off" if config.reward.audit == "off" else "warn"),
    )
