"""Finished runs: how the command line names one, and what makes it finished."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivium.artifact import MANIFEST
from trivium.errors import ConfigError
from trivium.overrides import key_of
from trivium.result import FINISHED

LAST = "last"
"""What `from_run` calls the newest finished run below `outputs/`."""
SETTINGS, RESULT, LOCK = "config.resolved.yaml", "result.json", ".lock"
_DONE = ("done", "reused", "skipped")
_WEIGHTS = ("adapter", "model")


def named(overrides: list[str]) -> str | None:
    """What overrides say of `from_run`; None where no run is taken up, or the value cannot be read."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    found = [o for o in overrides if key_of(o) == "from_run"]
    try:
        value = OverridesParser.create().parse_override(found[-1]).value() if found else None
    except HydraException:
        return None  # the check pass says what is wrong with it
    return None if value is None else str(value)


def locate(name: str) -> Path:
    """The folder of the finished run that `from_run` names. Raises `ConfigError` for one that is not finished, or no run."""
    if name == LAST:
        return _last()
    folder = Path(name).expanduser()
    if (problem := unfinished(folder)) is not None:
        raise ConfigError(f"from_run: {problem}")
    return folder


def root(folder: Path) -> Path:
    """The run that a folder belongs to: itself, or for a control arm's (`<run>/arms/<arm>`) the run's."""
    above = folder.parent.parent
    return above if folder.parent.name == "arms" and (above / SETTINGS).is_file() else folder


def unfinished(folder: Path) -> str | None:
    """Why a folder holds no finished run; None where it holds one."""
    run = root(folder)
    if not folder.is_dir():
        return f"{folder} is not a folder; name that of a run, as in from_run=outputs/distrust/<time>, or from_run=last."
    if not (run / SETTINGS).is_file() or not (run / RESULT).is_file():
        inside = max((path.parent for path in folder.glob(f"*/{RESULT}")), default=None)
        way = f"did you mean {inside}?" if inside else "name a folder that a run has written, or from_run=last."
        return f"{folder} holds no {RESULT} and {SETTINGS}, so it is not the folder of a run; {way}"
    result = read_result(run)
    if result["status"] not in FINISHED and _held(run / LOCK):  # a finished run is held while it is exported
        return f"another process is still writing into {run}; wait until it is done."
    ending = f"it ended as {result['status']}" + (f": {result['error']}" if result.get("error") else "")
    if not _trained(folder):
        if run != folder and _trained(run):
            return f"{folder} holds no trained weights; those of the experiment itself are taken up with from_run={run}."
        return f"{folder} holds no trained weights ({ending}); train first."
    if result["status"] not in FINISHED and (stage := _left_undone(run, result)):
        return (
            f"{run} never finished its stage {stage} ({ending}); the same command with hydra.run.dir={run} goes on from there."
        )
    return None


def _trained(folder: Path) -> bool:
    return any((folder / weights / MANIFEST).is_file() for weights in _WEIGHTS)


def read_result(folder: Path) -> dict[str, Any]:
    """What `result.json` holds; raises `ConfigError` where it is damaged."""
    try:
        found: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        return {**found, "status": found["status"], "stages": dict(found["stages"])}
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"from_run: {folder / RESULT} is damaged; run the experiment again.") from None


def _last() -> Path:
    runs = sorted(Path("outputs").glob(f"*/*/{SETTINGS}"), key=lambda path: path.stat().st_mtime, reverse=True)
    found = next((path.parent for path in runs if _usable(path.parent)), None)
    if found is None:
        raise ConfigError("from_run=last: there is no finished run below outputs/; run an experiment, or name a folder.")
    return found


def _usable(folder: Path) -> bool:
    try:
        return unfinished(folder) is None
    except ConfigError:
        return False


def _held(lock: Path) -> bool:
    """Whether another process holds a run's lock."""
    from filelock import FileLock, Timeout

    if not lock.is_file():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
    except PermissionError:  # a run that may only be read is not being written
        return False


def _left_undone(run: Path, result: Mapping[str, Any]) -> str | None:
    """The first stage before the export that a run was to do and has not done."""
    wanted = [stage for stage in read_settings(run).get("stages", []) if stage != "export"]
    return next((stage for stage in wanted if result["stages"].get(stage, {}).get("status") not in _DONE), None)


def read_settings(run: Path) -> dict[str, Any]:
    """What `config.resolved.yaml` holds; raises `ConfigError` where it is damaged."""
    import yaml

    try:
        found = yaml.safe_load((run / SETTINGS).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict):
        raise ConfigError(f"from_run: {run / SETTINGS} is damaged; run the experiment again.")
    return found
