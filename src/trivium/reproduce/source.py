"""The run that is made again, as its folder or MLflow tells it."""

import json
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from trivium.artifact import MANIFEST
from trivium.environment import FILE, INPUTS
from trivium.errors import ConfigError
from trivium.result import FINISHED
from trivium.schema import MlflowTracking
from trivium.serving.runs import RESULT, SETTINGS, root
from trivium.tracking.mlflow import ENDS, PARENT, noted
from trivium.tracking.outbox import metric_name
from trivium.tracking.store import Store, answering, database, search

WEIGHTS = ("adapter", "model")
Read = Callable[[str], dict[str, Any] | None]
"""Reads a JSON or YAML file of a run, by its path in the folder; None where it is not there."""


@dataclass(frozen=True)
class Source:
    """A finished run. `arms` are the settings of its arms by name; a run without arms has none."""

    name: str
    run_id: str | None
    settings: dict[str, Any]
    arms: dict[str, dict[str, Any]]
    environment: dict[str, Any] | None
    inputs: dict[str, dict[str, str]] | None
    """Digests of files that settings name, by arm and key."""
    receipts: dict[str, dict[str, Any]]
    """The manifest of every arm's training; the name of the one arm of a run without is empty."""
    metrics: dict[str, float]
    """Under the names that MLflow knows them by."""

    def weights(self, arm: str) -> dict[str, str]:
        """sha256 (hex) of the files of weights that an arm's training wrote; none where that is not known."""
        return weights(self.receipts[arm].get("files", {}))

    def base(self, arm: str) -> dict[str, str]:
        """sha256 (hex) of the files of the base model that an arm was trained on; none where that is not known."""
        return dict(self.receipts[arm].get("inputs", {}))


def read(name: str, tracking: Any) -> Source:
    """A run by its folder, or by its id in MLflow. Raises `ConfigError` for one that is not there, not finished, or an arm."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _of_folder(folder)
    if not re.fullmatch(r"[0-9a-f]{32}", name):
        raise ConfigError(f"reproduces: {name} is neither a folder nor the id of a run in MLflow (32 hexadecimal digits).")
    if not isinstance(tracking, MlflowTracking):
        raise ConfigError(f"reproduces: {name} is looked for in MLflow; set tracking=mlflow, or name the run's folder.")
    if (path := database(tracking.uri)) is not None and not path.is_file():
        raise ConfigError(
            f"reproduces: {name} is looked for in {path}, which is not there; set tracking.uri, or name a folder."
        )
    return _asked(name, tracking.uri, tracking.experiment, tracking.timeout)


@lru_cache(4)
def _asked(run_id: str, uri: str, experiment: str, timeout: int) -> Source:
    """A finished run does not change, so a process asks MLflow once."""
    tracking = MlflowTracking(uri=uri, experiment=experiment, timeout=timeout)
    with answering(tracking) as store, tempfile.TemporaryDirectory() as scratch:
        return _of_mlflow(store, run_id, Path(scratch))


# --- a folder --------------------------------------------------------------------------------------------------------


def _of_folder(folder: Path) -> Source:
    if (above := root(folder)) != folder:
        raise ConfigError(f"reproduces: {folder} is an arm; name its run, {above}, whose arms are all made again.")
    if not (folder / SETTINGS).is_file() or not (folder / RESULT).is_file():
        raise ConfigError(f"reproduces: {folder} holds no {SETTINGS} and {RESULT}, so it is not the folder of a run.")
    result = _parsed(folder / RESULT)
    _require_finished(str(folder), result["status"])
    arms = {path.parent.name: _parsed(path) for path in sorted(folder.glob(f"arms/*/{SETTINGS}"))}
    settings = _parsed(folder / SETTINGS)
    main = _main(settings, arms)
    places = {arm: folder if arm == main else folder / "arms" / arm for arm in arms or {"": settings}}
    return Source(
        str(folder),
        noted(folder),
        settings,
        arms,
        _optional(folder / FILE),
        _optional(folder / INPUTS),
        {arm: _receipt(partial(_below, place)) for arm, place in places.items()},
        {metric_name(key): value for key, value in result["metrics"].items() if isinstance(value, int | float)},
    )


def _below(folder: Path, name: str) -> dict[str, Any] | None:
    return _optional(folder / name)


def _optional(path: Path) -> dict[str, Any] | None:
    return _parsed(path) if path.is_file() else None


def _parsed(path: Path) -> dict[str, Any]:
    import yaml

    text = path.read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    return found


# --- MLflow ----------------------------------------------------------------------------------------------------------


def _of_mlflow(store: Store, run_id: str, scratch: Path) -> Source:
    run = _run(store, run_id)
    tags = run.data.tags
    if "arm" in tags:
        raise ConfigError(
            f"reproduces: {run_id} is the arm {tags['arm']}; name its run, {tags[PARENT]}: all arms are made again."
        )
    _require_finished(run_id, tags.get("status", run.info.status.lower()))
    settings = _artifact(store, run_id, SETTINGS, scratch)
    if settings is None:
        raise ConfigError(
            f"reproduces: MLflow holds no {SETTINGS} of {run_id}, so its settings are not known; name its folder."
        )
    children = {one.data.tags["arm"]: one for one in search(store, {PARENT: run_id}) if "arm" in one.data.tags}
    found = {arm: _artifact(store, one.info.run_id, SETTINGS, scratch) for arm, one in sorted(children.items())}
    arms = {arm: told for arm, told in found.items() if told is not None}
    reads = {arm: _reader(store, children[arm].info.run_id, scratch) for arm in arms} or {"": _reader(store, run_id, scratch)}
    metrics = {f"arms/{arm}/{key}": value for arm in arms for key, value in children[arm].data.metrics.items()}
    return Source(
        run_id,
        run_id,
        settings,
        arms,
        _artifact(store, run_id, FILE, scratch),
        _artifact(store, run_id, INPUTS, scratch),
        {arm: _receipt(read_one) for arm, read_one in reads.items()},
        {**metrics, **run.data.metrics},
    )


def _run(store: Store, run_id: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return store.client.get_run(run_id)
    except MlflowException:
        raise ConfigError(f"reproduces: MLflow has no run {run_id}; set tracking.uri to where it was recorded.") from None


def _reader(store: Store, run_id: str, scratch: Path) -> Read:
    return lambda name: _artifact(store, run_id, name, scratch) or _artifact(store, run_id, Path(name).name, scratch)


def _artifact(store: Store, run_id: str, name: str, scratch: Path) -> dict[str, Any] | None:
    """A file of a run in MLflow; None where it has none of that name."""
    above = name.rpartition("/")[0] or None
    if name not in [file.path for file in store.client.list_artifacts(run_id, above)]:
        return None
    place = scratch / run_id
    place.mkdir(exist_ok=True)
    return _parsed(Path(store.client.download_artifacts(run_id, name, str(place))))


# --- both ------------------------------------------------------------------------------------------------------------


def _require_finished(name: str, status: str) -> None:
    if status not in (*FINISHED, *ENDS.values()) or status in ("pruned", "KILLED"):
        raise ConfigError(f"reproduces: {name} did not finish ({status}), so there is nothing to hold a second run against.")


def _main(settings: Mapping[str, Any], arms: Mapping[str, Mapping[str, Any]]) -> str:
    """The arm that is the experiment itself."""
    return next((name for name, told in arms.items() if {**told, "arms": None} == {**settings, "arms": None}), "")


def _receipt(read_one: Read) -> dict[str, Any]:
    """The manifest of a training; empty where there is none."""
    return next((found for name in WEIGHTS if (found := read_one(f"{name}/{MANIFEST}"))), {})


def weights(files: Mapping[str, str]) -> dict[str, str]:
    """Of a training's files those that hold weights."""
    return {name: sha for name, sha in files.items() if name.endswith(".safetensors")}
