"""Python and the installed packages, against what Trivium asks for and what the lock says."""

import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from trivium.compose import conf_dir
from trivium.doctor.finding import ABSENT, FAIL, OK, WARN, Finding
from trivium.schema import Config, QloraAdapter

LOCK = conf_dir().parent / "requirements.lock"
"""In a checkout; an installed package has none."""
_NAME = "trivium"
_SHOWN = 8
"""Packages named one by one."""
_OWN = {"dev", "gguf", "mlx"}
"""Extras that are no finding of their own here: what is for developing, and what is looked at by running it."""


def python(_config: Config) -> Iterator[Finding]:
    """Is this Python one that Trivium is made for?"""
    wanted, here = metadata.metadata(_NAME)["Requires-Python"], platform.python_version()
    fits = SpecifierSet(wanted).contains(here, prereleases=True)
    remedy = "" if fits else f"make an environment with Python {wanted}: make PYTHON=python3.12 setup."
    yield Finding("Python", OK if fits else FAIL, f"{here}{'' if fits else f', allowed: {wanted}'}", remedy)


def dependencies(_config: Config) -> Iterator[Finding]:
    """Is everything there that Trivium cannot do without, in a version that it allows?"""
    missing = [str(r.name) for r in needed() if version(r.name) is None]
    wrong = [f"{r.name} {version(r.name)} (allowed: {r.specifier})" for r in needed() if not _allows(r)]
    if missing or wrong:
        detail = "; ".join(filter(None, (_listed("missing", missing), _listed("not allowed", wrong))))
        yield Finding("dependencies", FAIL, detail, "install them: make setup, or pip install --upgrade trivium.")
    else:
        yield Finding("dependencies", OK, f"{len(list(needed()))} packages that Trivium asks for are there")


def lock(_config: Config) -> Iterator[Finding]:
    """Are the versions those that the tests ran with?"""
    yield against(LOCK)


def against(file: Path) -> Finding:
    """The installed packages against a file of pinned ones; packages that are not installed are told by `dependencies`."""
    if not file.is_file():
        return Finding("lock", ABSENT, f"no {file.name} beside the package; versions are only held against its ranges")
    lines = [line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    try:
        pinned = [Requirement(line) for line in lines if line]
    except InvalidRequirement as error:
        return Finding("lock", WARN, f"{file.name} cannot be read: {error}", "take the one that came with the sources.")
    pinned = [r for r in pinned if r.marker is None or r.marker.evaluate()]
    other = [f"{r.name} {version(r.name)} (lock: {str(r.specifier)[2:]})" for r in pinned if not _allows(r)]
    absent = sum(version(r.name) is None for r in pinned)
    without = f", {absent} of its packages not installed" if absent else ""
    if other:
        return Finding("lock", WARN, _listed("differing", other) + without, f"pip install -r {file.name}")
    return Finding("lock", OK, f"as {file.name} has them: {len(pinned) - absent} packages{without}")


def extras(config: Config) -> Iterator[Finding]:
    """Which of the optional parts are there?"""
    for extra in sorted(set(metadata.metadata(_NAME).get_all("Provides-Extra") or []) - _OWN):
        wanted = [r for r in _requirements() if _only_for(extra, r)]
        missing = [r.name for r in wanted if version(r.name) is None]
        asked = _asks(config, extra)
        remedy = f"pip install 'trivium[{extra}]'" if missing else ""
        status = OK if not missing else FAIL if asked else ABSENT
        there = ", ".join(f"{r.name} {version(r.name)}" for r in wanted if r.name not in missing)
        yield Finding(f"extra {extra}", status, _listed("missing", missing) if missing else there, remedy)


def _only_for(extra: str, requirement: Requirement) -> bool:
    marker = requirement.marker
    return bool(marker and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""}))


def _asks(config: Config, extra: str) -> bool:
    """Whether a configuration cannot do without an extra."""
    if extra == "qlora":
        return isinstance(config.adapter, QloraAdapter) and config.backend.name == "torch"
    return bool(extra == config.tracking.name)


def needed() -> Iterator[Requirement]:
    """What Trivium asks for, whatever is chosen."""
    return (r for r in _requirements() if r.marker is None or r.marker.evaluate({"extra": ""}))


def _requirements() -> list[Requirement]:
    return [Requirement(text) for text in metadata.requires(_NAME) or []]


def version(name: str) -> str | None:
    """The installed version of a package; None where there is none."""
    try:
        return metadata.version(canonicalize_name(name))
    except metadata.PackageNotFoundError:
        return None


def _allows(requirement: Requirement) -> bool:
    found = version(requirement.name)
    return found is None or requirement.specifier.contains(found, prereleases=True)


def _listed(what: str, names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{what}: {', '.join(names[:_SHOWN])}{more}" if names else ""
