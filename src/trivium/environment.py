"""What a run is made with besides its settings: packages, machine, source code, files. No secrets, and no places on disk."""

import json
import platform
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from trivium import __version__
from trivium.artifact import code_hash, file_hash, key_of, tree_hash, write_json
from trivium.compose import conf_dir
from trivium.schema import Config
from trivium.summary import flatten

FILE, INPUTS = "environment.json", "inputs.json"
LATER = "gone_on_under"
"""In `environment.json`: the other environments under which an interrupted training went on."""
ROOMS = (
    "backends",
    "data",
    "evaluation",
    "generation",
    "maths",
    "models",
    "rewards",
    "sample.py",
    "scorers",
    "scores",
    "stages",
)
"""Sources that data, weights and measurements come from."""
LABELS = ("trivium", "commit", "dirty", "lock")
"""What only names the source code and the packages, which are told one by one."""
_READING = ("dataset", "model", "evaluation", "reward", "generator")
"""Groups whose settings may name a file."""


def describe(config: Config) -> dict[str, Any]:
    """Python, packages, machine and source code, as they are now."""
    return {
        "trivium": __version__,
        **_source(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "machine": _machine(config),
        "code": _code(),
        "packages": _packages(),
    }


def record(config: Config, out: Path, trained: bool) -> list[str]:
    """Write `environment.json`; returns what differs from the environment in which an interrupted training began.

    Where the training is done already (`trained`) the file stays as it is.
    """
    path = out / FILE
    now, before = describe(config), read(out)
    if before is None:
        write_json(path, now)
    if before is None or trained:
        return []
    later = before.pop(LATER, [])
    other = differences(before, now)
    if other and not any(differences(one, now) == [] for one in later):
        write_json(path, {**before, LATER: [*later, now]})
    return other


def read(folder: Path) -> dict[str, Any] | None:
    """What `environment.json` of a run says; None where there is none."""
    try:
        found: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return found
    except FileNotFoundError:
        return None


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """`key: before → now` for everything that results may depend on and that differs.

    >>> differences({"commit": "a", "packages": {"torch": "2.12"}}, {"commit": "b", "packages": {"torch": "2.13"}})
    ['packages.torch: 2.12 → 2.13']
    """
    a, b = (flatten({key: value for key, value in one.items() if key not in (*LABELS, LATER)}) for one in (before, now))
    return [f"{key}: {a.get(key)} → {b.get(key)}" for key in {**a, **b} if a.get(key) != b.get(key)]


def inputs(config: Config) -> dict[str, str]:
    """Digests of the files and folders that settings name, by key; an entry of a list has its place behind.

    The base model is not among them: the receipt of the training tells its files.
    """
    return {key: digest(name) for key, name in named(config).items() if _is_input(key, name)}


def named(config: Config) -> dict[str, str]:
    """The texts in settings that may name a file or folder, by key as in `inputs`."""
    flat = flatten({group: value for group, value in asdict(config).items() if group in _READING})
    del flat["model.path"]
    texts = {key: value for key, value in flat.items() if isinstance(value, str)}
    lists = {f"{key}.{i}": one for key, value in flat.items() if isinstance(value, list) for i, one in enumerate(value)}
    return texts | {key: one for key, one in lists.items() if isinstance(one, str)}


def digest(name: str) -> str:
    """Hash (hex) of a file or of all that is in a folder, whatever it is called."""
    path = Path(name).expanduser()
    return file_hash(path) if path.is_file() else key_of(tree_hash(path))


def _is_input(key: str, name: str) -> bool:
    if not name or len(name) > 1000 or not name.isprintable():
        return False
    path = Path(name).expanduser()
    return path.is_file() or (key.endswith("path") and path.is_dir())


def _machine(config: Config) -> dict[str, Any]:
    """What numbers may depend on: device, threads, and the processor's instructions."""
    device = config.hardware.device
    if not {"train", "evaluate"} & set(config.stages):
        return {"device": device}
    import torch

    if device == "cuda" and torch.cuda.is_available():
        return {"device": device, "name": torch.cuda.get_device_name(), "cuda": torch.version.cuda, "hip": torch.version.hip}
    instructions = torch.backends.cpu.get_cpu_capability()
    return {"device": device, "threads": torch.get_num_threads(), "instructions": instructions}


@cache
def _code() -> dict[str, str]:
    return {room: code_hash(room) for room in ROOMS}


@cache
def _source() -> dict[str, Any]:
    """The commit and the lock of a checkout; an installed package has neither."""
    root = conf_dir().parent
    lock = root / "requirements.lock"
    commit = _git(root, "rev-parse", "HEAD") if (root / ".git").exists() else None
    changed = _git(root, "status", "--porcelain", "--", "src", "conf") if commit else None
    return {
        "commit": commit,
        "dirty": bool(changed) if commit else None,
        "lock": file_hash(lock) if lock.is_file() else None,
    }


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@cache
def _packages() -> dict[str, str]:
    return dict(sorted(_versions()))


def _versions() -> Iterator[tuple[str, str]]:
    """Name and version of everything that Trivium, with the extras that are installed, asks for directly or not."""
    seen, asked = {"trivium"}, list(_asked("trivium", own=True))
    while asked:
        name = canonicalize_name(asked.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        asked += _asked(name)


def _asked(name: str, own: bool = False) -> Iterator[str]:
    """What a package asks for here; of Trivium's `own`, also what its extras do, but for those who develop it."""
    try:
        lines = metadata.requires(name) or []
        extras = [e for e in metadata.metadata(name).get_all("Provides-Extra") or [] if own and e != "dev"]
    except metadata.PackageNotFoundError:
        return
    for requirement in map(Requirement, lines):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ["", *extras]):
            yield requirement.name
