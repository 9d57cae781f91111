"""Composition: the vocabulary of `conf/` and of the schemas, made into one plain configuration by Hydra."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from trivium.errors import ConfigError
from trivium.schema import VARIANTS, Config

WHOLE = ("preset", "pairing", "experiment", "sweep")
"""Groups whose options may set any key."""
GROUPS = (*(f.name for f in fields(Config) if (is_dataclass(f.type) or f.name in VARIANTS) and f.name not in WHOLE), *WHOLE)
"""Config groups, in the order of the defaults list."""

CONFIG_NAME = "config"


def conf_dir() -> Path:
    """The shipped `conf/`: inside the installed package, or beside `src/` in a checkout."""
    here = Path(__file__).resolve().parent
    packaged = here / "conf"
    return packaged if packaged.is_dir() else here.parents[1] / "conf"


def options(group: str, extra: Path | None = None) -> list[str]:
    """Names of a group's option files, the user's own (`--config-dir`) included."""
    folders = [conf_dir() / group, *([extra / group] if extra else [])]
    return sorted({p.stem for folder in folders for p in folder.glob("*.yaml")})


def defaults_of(schema: type) -> dict[str, Any]:
    """A schema's defaults as plain data; keys of config groups are left out."""
    return {f.name: _plain(getattr(instance, f.name)) for instance in (schema(),) for f in fields(schema)}


def register_schemas() -> None:
    """Put every schema's defaults into Hydra's ConfigStore as `schema` or, in groups with variants, `schema_<option>`.

    The nodes are plain, not typed: Hydra then never stops at the first wrong value, and `trivium.check` reports all.
    """
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    root = {key: value for key, value in defaults_of(Config).items() if key not in GROUPS or key in WHOLE}
    store.store(name="schema", node=root, replace=True)
    for field in fields(Config):
        if field.name in VARIANTS:
            for option, schema in VARIANTS[field.name].items():
                store.store(name=f"schema_{option}", group=field.name, node=defaults_of(schema), replace=True)
        elif field.name in GROUPS:
            store.store(name="schema", group=field.name, node=defaults_of(field.type), replace=True)  # type: ignore[arg-type]


@contextmanager
def hydra_at(config_dir: Path | None = None) -> Iterator[None]:
    """Hydra initialised on the shipped vocabulary, unless `hydra.main` has done so for this process."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    register_schemas()
    if GlobalHydra.instance().is_initialized():
        yield
        return
    with initialize_config_dir(str(conf_dir()), job_name="trivium"):
        yield


def compose(overrides: list[str], config_dir: Path | None = None) -> dict[str, Any]:
    """One composed configuration, interpolations resolved.

    Raises `hydra.errors.HydraException` for what cannot be composed at all, and `ConfigError` for an option file that cannot be
    read. Hydra must be initialised.
    """
    import hydra
    from omegaconf import OmegaConf

    with files_explained():
        composed = hydra.compose(CONFIG_NAME, [*_search(config_dir), *overrides])
    return to_plain(OmegaConf.to_container(composed, resolve=True))


def choices(overrides: list[str], config_dir: Path | None = None) -> dict[str, str]:
    """The option of every config group that overrides lead to, whoever chose it. Hydra must be initialised."""
    import hydra

    with files_explained():
        composed = hydra.compose(CONFIG_NAME, [*_search(config_dir), *overrides], return_hydra_config=True)
    found = composed.hydra.runtime.choices
    return {group: str(found[group]) for group in GROUPS if found.get(group) is not None and group not in ("preset", "pairing")}


def _search(config_dir: Path | None) -> list[str]:
    return [f"hydra.searchpath=[file://{os.path.abspath(config_dir)}]"] if config_dir else []


@contextmanager
def files_explained() -> Iterator[None]:
    """Turn an option file that is no YAML, or names a key twice, into a `ConfigError`."""
    from yaml import YAMLError

    try:
        yield
    except (YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"an option file cannot be read: {reason}; write UTF-8 YAML in which every key stands once."
        ) from error


def to_plain(container: Any) -> dict[str, Any]:
    """A composed config as a plain dict with string keys."""
    return {str(key): value for key, value in container.items()}


def _plain(value: Any) -> Any:
    return defaults_of(type(value)) if is_dataclass(value) and not isinstance(value, type) else value
