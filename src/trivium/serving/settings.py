"""The configuration that a finished run is taken up with: its own, and of the command line what may be changed."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trivium.check import bind
from trivium.errors import ConfigError
from trivium.overrides import checked, for_arm, key_of
from trivium.schema import Config
from trivium.serving.runs import read_settings, root

CHANGEABLE = ("task", "stages", "export", "serve", "talk", "tracking", "cache_dir", "hardware", "from_run")
"""What the command line may say of a run that is taken up; all else is as it was."""
_BARE = ("experiment=none", "preset=none", "pairing=none", "from_run=.")
"""Nothing but what the command line itself says, of some run."""


def take_up(folder: Path, overrides: list[str], config_dir: Path | None = None) -> Config:
    """The configuration of a finished run, with what the command line may change. Hydra must be initialised.

    Without a word about `task` and `stages` the run is exported. Raises `ConfigError` with every problem: keys that are the
    run's own, values that are wrong, and settings that this version does not know.
    """
    own = [o for o in overrides if key_of(o).split("@")[0].split(".")[0] in CHANGEABLE]
    problems = [_refusal(o) for o in overrides if o not in own]
    known = {**_settings(folder, config_dir), "task": "run", "stages": ["export"], "from_run": str(folder)}
    settings = asdict(_bound(known, folder))
    kept = [] if any(key_of(o) == "tracking" for o in own) else [f"tracking={settings['tracking']['name']}"]
    try:
        said = asdict(checked([*_BARE, *kept, *own], config_dir))
    except ConfigError as error:
        raise ConfigError(problems + error.problems) from None
    for override in own:
        put(settings, key_of(override).split("@")[0].split("."), said)
    config = bind({**settings, "from_run": str(folder)})
    if problems := [*problems, *_cannot_follow(config, folder)]:
        raise ConfigError(problems)
    return config


def _settings(folder: Path, config_dir: Path | None) -> dict[str, Any]:
    """A run's own settings, or those of its arm."""
    run = root(folder)
    settings = {**read_settings(run), "arms": None}
    return settings if run == folder else _settings_of_arm(folder, run, settings, config_dir)


def _settings_of_arm(folder: Path, run: Path, settings: dict[str, Any], config_dir: Path | None) -> dict[str, Any]:
    """An arm's settings, composed as the run composed them; refused where this version composes the run differently."""
    import yaml

    arms = read_settings(run).get("arms") or {}
    words = run / ".hydra" / "overrides.yaml"
    if folder.name not in arms or not words.is_file():
        raise ConfigError(f"from_run: {run} does not tell the settings of {folder.name}; name the run itself.")
    overrides = yaml.safe_load(words.read_text(encoding="utf-8"))
    if {**asdict(checked(overrides, config_dir)), "arms": None} != settings:
        raise ConfigError(
            f"from_run: {run} was composed from other option files than those here, so what its arm {folder.name} was cannot "
            "be told; name the run itself."
        )
    arm = asdict(checked(for_arm(overrides, arms[folder.name]), config_dir))
    return {**arm, "arms": None}


def _bound(settings: dict[str, Any], folder: Path) -> Config:
    try:
        return bind(settings)
    except ConfigError as error:
        raise ConfigError(
            [
                *(f"from_run: {problem}" for problem in error.problems),
                f"from_run: {folder} was written by another version of Trivium or on another machine, or changed since; take "
                "it up with the version that made it, or run the experiment again.",
            ]
        ) from None


def _refusal(override: str) -> str:
    return (
        f"{key_of(override)}: a run that is taken up (from_run) keeps its settings; only {', '.join(CHANGEABLE[:-1])} can be "
        "set with it. Leave it out, or train again."
    )


def put(settings: dict[str, Any], path: list[str], source: Mapping[str, Any]) -> None:
    """Copy the value at a path."""
    head, *rest = path
    if rest:
        put(settings[head], rest, source[head])
    else:
        settings[head] = source[head]


def _cannot_follow(config: Config, folder: Path) -> Iterator[str]:
    """Sentences for what cannot be done with a run that is finished."""
    if config.task == "audit":
        yield "task=audit looks at a training before it begins; leave from_run out."
    if config.task != "run":
        return
    if config.stages != ["export"]:
        yield f"stages=[{','.join(config.stages)}]: a finished run (from_run) can only be exported; leave stages out."
    if root(folder) != folder:
        yield f"from_run: {folder} is a control arm, which can be talked to and served; what is exported is {root(folder)}."
    if not any(isinstance(kind, dict) and kind.get("enabled") for kind in asdict(config.export).values()):
        yield "export: nothing is chosen; say what the run shall be exported as, for example export=[merged,gguf]."
