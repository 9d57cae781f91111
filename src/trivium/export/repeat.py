"""The command line that repeats a run elsewhere: its own words where they lead to its settings, else the settings."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml

from trivium.compose import hydra_at
from trivium.errors import ConfigError
from trivium.export.job import Job
from trivium.overrides import checked, key_of
from trivium.schema import VARIANTS, Config

ELSEWHERE = ("hydra", "cache_dir", "tracking", "export", "task", "stages", "from_run", "serve", "talk", "sweep", "acquire")
"""Settings of the place and of the occasion; another place has its own."""
OPTION = "as_run"


@dataclass(frozen=True)
class Line:
    """Words after `trivium`, and the option files that they need, by their path below `--config-dir`."""

    words: list[str]
    options: dict[str, str]


def line(job: Job) -> Line:
    """What leads to the settings of a run, but for those of the place.

    Raises `ConfigError` where nothing does: an option file was changed or removed since.
    """
    for found in (_typed(job), _resolved(job.config)):
        if found is not None and _leads_to(found, job.config):
            return found
    raise ConfigError(
        "export.notebook: the run's settings cannot be composed again; an option file that it used was changed. Train it again."
    )


def config_of(found: Line) -> Config:
    """The configuration that a line leads to. Raises `ConfigError`."""
    with tempfile.TemporaryDirectory() as folder, hydra_at():
        for name, text in found.options.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return checked(found.words, Path(folder) if found.options else None)


def settings(config: Config) -> dict[str, Any]:
    """All settings but those of the place, as plain data."""
    return {key: value for key, value in asdict(config).items() if key not in ELSEWHERE}


def _leads_to(found: Line, config: Config) -> bool:
    """Whether a line leads to the settings; a run that is taken up again has lost its arms, and may be on other hardware."""
    unknown = dict.fromkeys(("arms", "hardware") if config.from_run is not None else ())
    try:
        return {**settings(config_of(found)), **unknown} == {**settings(config), **unknown}
    except ConfigError:
        return False


# --- as it was typed -------------------------------------------------------------------------------------------------


def _typed(job: Job) -> Line | None:
    """The words that Hydra wrote down, and the user's own option files; None where they are not there."""
    try:
        words = _read(job.run / ".hydra" / "overrides.yaml")
        sources = _read(job.run / ".hydra" / "hydra.yaml")["hydra"]["runtime"]["config_sources"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return None
    own = next((Path(source["path"]) for source in sources if source["provider"] == "command-line"), None)
    return Line(list(_kept(words)), dict(_option_files(own)) if own is not None else {})


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _kept(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        if key_of(word).split("@")[0].split(".")[0].split("/")[0] not in ELSEWHERE:
            yield word.lstrip("+") if word.startswith("++") else word


def _option_files(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(path for path in folder.glob("*/*.yaml") if path.parent.name not in ELSEWHERE):
        yield path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")


# --- as it was resolved ----------------------------------------------------------------------------------------------


def _resolved(config: Config) -> Line | None:
    """Every group as an option of its own, so that arms may still choose other options, and an experiment that takes them.

    None for a run that starts from an arm which is not known.
    """
    if config.starts_from is not None and not config.arms:
        return None
    told = settings(config)
    groups = [f.name for f in fields(Config) if f.name in told and (f.name in VARIANTS or is_dataclass(f.type))]
    options = {f"{group}/{OPTION}.yaml": _yaml(told[group]) for group in groups}
    chosen = [{f"override /{group}": OPTION} for group in groups]
    rest = {key: value for key, value in told.items() if key not in groups}
    options[f"experiment/{OPTION}.yaml"] = f"# @package _global_\n{_yaml({'defaults': chosen, **rest})}"
    return Line([f"experiment={OPTION}"], options)


def _yaml(value: Mapping[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
