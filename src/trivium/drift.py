"""A folder that a run finds used: whether these are the settings that were at work there, and what becomes of it if not."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path
from typing import Any

from trivium import stages, summary
from trivium.arms import Arm
from trivium.artifact import MANIFEST
from trivium.backends import checkpoints
from trivium.backends.lines import CHECKPOINTS
from trivium.backends.shape import decisive, numeric
from trivium.binding import Problems, bind_fields
from trivium.errors import ConfigError
from trivium.result import FINISHED, Result
from trivium.schema import AcquireConfig, BackendConfig, Config, RewardConfig
from trivium.serving.runs import SETTINGS
from trivium.tracking import mlflow

BEFORE = "before"
"""Folder below a run's own that takes what other settings have left there, a run's folder each."""
OCCASION = ("stages", "fork", "from_run", "reproduces", "tracking", "cache_dir", "export", "serve", "talk", "plan", "alerts")
"""Settings that are neither a run's data and weights nor what is measured of them."""
_STAYS = (".lock", ".hydra", BEFORE)


def settle(config: Config, arms: Sequence[Arm], out: Path) -> dict[str, str]:
    """Make a folder ready for a run; returns tags that tell where it comes from.

    What was begun there with the same settings goes on. With others a `ConfigError` lists every key that differs once weights
    have been trained, unless `fork` is set: what is there is then kept, as a run's folder of its own.
    """
    _put_back(out)
    before = _read(out, fork=config.fork)
    if before is None:
        return {}
    if finished(out):
        return _measured_otherwise(before, config, out)
    changed, begun = [*_drift(before, config), *_drift_of_arms(arms, out)], _begun(out)
    if config.fork and begun and (changed or not before.fork):
        return _fork(out, changed)
    if changed and begun:
        way = f"set fork=true to train anew; what is there is then kept in {out / BEFORE}"
        raise ConfigError(
            [
                f"{out} holds an unfinished training with other settings, listed below; set them back, or give another "
                f"hydra.run.dir, or {way}.",
                *changed,
            ]
        )
    if changed:
        _set_aside(out)
        return {}
    return _measured_otherwise(before, config, out)


def shaping(config: Config) -> Config:
    """The configuration with all that shapes neither data nor weights as the schema has it."""
    library = config.dataset.kind == "library"
    return replace(
        Config(),
        task=config.task,
        seed=config.seed,
        starts_from=config.starts_from,
        acquire=AcquireConfig(sources=config.acquire.sources, max_items=config.acquire.max_items),
        model=config.model,
        adapter=config.adapter,
        hardware=numeric(config.hardware),
        backend=BackendConfig(name=config.backend.name),
        method=decisive(config.method),
        dataset=stages.as_prepared(config.dataset, config.dataset.chat),
        generator=stages.what_is_written(config.generator) if library else Config().generator,
        loss=config.loss,
        reward=RewardConfig(terms=config.reward.terms, scorers=config.reward.scorers, shuffle=config.reward.shuffle),
    )


def differences(before: Config, now: Config) -> list[str]:
    """`key: before → now` for every setting that differs.

    >>> differences(Config(seed=1), Config(seed=2))
    ['seed: 1 → 2']
    """
    a, b = summary.flatten(asdict(before)), summary.flatten(asdict(now))
    keys = [*a, *(key for key in b if key not in a)]
    return [f"{key}: {_shown(a, key)} → {_shown(b, key)}" for key in keys if a.get(key) != b.get(key)]


def _shown(flat: dict[str, Any], key: str) -> str:
    if key not in flat:
        return "not there"
    value = flat[key]
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _drift(before: Config, now: Config) -> list[str]:
    return differences(shaping(before), shaping(now))


def _drift_of_arms(arms: Sequence[Arm], out: Path) -> Iterator[str]:
    for arm in arms:
        folder = out / "arms" / arm.name
        before = None if arm.main else _read(folder, fork=False)
        if before is not None and (finished(folder) or _begun(folder)):
            yield from (f"arms.{arm.name}: {line}" for line in _drift(before, arm.config))


# --- what is there ---------------------------------------------------------------------------------------------------


def _read(folder: Path, fork: bool) -> Config | None:
    """The settings that were at work in a folder; None where there are none."""
    import yaml

    path = folder / SETTINGS
    if not path.is_file():
        return None
    problems = Problems()
    found = bind_fields(Config, yaml.safe_load(path.read_text(encoding="utf-8")), "", problems)
    if isinstance(found, Config) and not problems:
        return found
    if fork and not finished(folder):
        _set_aside(folder)
        return None
    raise ConfigError(
        f"{path} was written by another version of Trivium ({problems[0]}); give another hydra.run.dir, or go on with that "
        "version."
    )


def finished(folder: Path) -> bool:
    """Whether a training came to its end in a folder."""
    return any((folder / name / MANIFEST).is_file() for name in ("adapter", "model"))


def _begun(out: Path) -> bool:
    """Whether a training, or that of an arm, left anything that it can go on from."""
    arms = list(out.glob("arms/*"))
    return any(map(finished, arms)) or any(checkpoints.any_in(folder / CHECKPOINTS) for folder in [out, *arms])


# --- what becomes of it ----------------------------------------------------------------------------------------------


def _fork(out: Path, changed: list[str]) -> dict[str, str]:
    aside = _set_aside(out)
    drift = {"param_drift": "; ".join(changed)} if changed else {}
    return {"forked_from": mlflow.noted(aside) or f"{aside.parent.name}/{aside.name}", **drift}


def _set_aside(out: Path) -> Path:
    """Move what is in a run's folder into one of its own below; its settings last, so that a kill shows."""
    place = next(place for i in count(1) if not (place := out / BEFORE / str(i)).exists())
    place.mkdir(parents=True)
    for path in sorted(out.iterdir(), key=lambda path: path.name == SETTINGS):
        if path.name not in _STAYS:
            os.replace(path, place / path.name)
    return place


def _put_back(out: Path) -> None:
    """Undo what a kill has left half set aside."""
    for place in out.glob(f"{BEFORE}/*"):
        if not (place / SETTINGS).exists():
            for path in place.iterdir():
                os.replace(path, out / path.name)
            place.rmdir()


def _measured_otherwise(before: Config, now: Config, out: Path) -> dict[str, str]:
    """Data and weights are as they were. A finished run that is now measured in another way is a run of its own in MLflow."""
    plain = {key: getattr(now, key) for key in OCCASION}
    changed = differences(replace(before, **plain), now)
    measured = [line for line in changed if line.startswith(("evaluation.", "dataset.", "arms"))]
    if measured and _status(out) in FINISHED:
        for folder in (out, *out.glob("arms/*")):
            (folder / mlflow.NOTE).unlink(missing_ok=True)
        return {}
    return {"param_drift": "; ".join(changed)} if changed else {}


def _status(out: Path) -> str:
    return Result.taken_up(out).status if (out / "result.json").is_file() else "failed"
