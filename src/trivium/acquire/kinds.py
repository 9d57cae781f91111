"""The kinds of source by name, and everything wrong in the sources of a configuration; nothing heavy is imported."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import trivium.acquire.sources
from trivium.acquire.names import plain
from trivium.binding import Problems, bind_fields, nearest
from trivium.schema import AcquireConfig

ROBOTS_BARRED = ("gutenberg.org", "www.gutenberg.org")
"""Hosts whose pages are not for robots; their catalogue feeds are made for them."""


@cache
def kinds() -> tuple[str, ...]:
    """The names of all kinds: the files of `trivium.acquire.sources`."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(trivium.acquire.sources.__path__)))


def kind_of(name: str) -> ModuleType:
    """The module of a kind: `Options`, `fetch` and, where values depend on each other, `problems(options)`."""
    return importlib.import_module(f"trivium.acquire.sources.{name}")


def options_of(name: str, data: Mapping[str, Any], problems: Problems) -> Any:
    """The options of the source `name`, typed; None where that is impossible. Problems are added."""
    path = f"acquire.sources.{name}"
    kind = data.get("kind")
    if kind not in kinds():
        what = "not set" if kind is None else f"set to {kind!r}"
        problems.wrong(f"{path}.kind: {what}; {nearest(str(kind or ''), kinds())}")
        return None
    module = kind_of(str(kind))
    options = bind_fields(module.Options, {k: v for k, v in data.items() if k != "kind"}, path, problems)
    if options is not None and hasattr(module, "problems"):
        problems.extend(f"{path}.{sentence}" for sentence in module.problems(options))
    return options


def problems_in(config: AcquireConfig) -> Iterator[str]:
    """Everything wrong in the sources and the addresses."""
    for name, data in config.sources.items():
        path = f"acquire.sources.{name}"
        if not plain(name):
            yield f"{path}: {name!r} names a folder; allowed: up to 80 small letters, digits, hyphens and underscores."
        if data is None:
            continue
        if not isinstance(data, Mapping):
            yield f"{path}: set to {data!r}; it holds keys (kind and those of the kind), not one value."
            continue
        problems = Problems()
        options_of(name, data, problems)
        yield from problems
    if config.min_sources > len(chosen(config)) > 0:
        yield f"acquire.min_sources: set to {config.min_sources}; allowed: at most the {len(chosen(config))} there are."
    for name, url in vars(config.endpoints).items():
        yield from _wrong_address(f"acquire.endpoints.{name}", url)
    if urlsplit(config.endpoints.gutenberg).hostname in ROBOTS_BARRED:
        yield (
            f"acquire.endpoints.gutenberg: set to {config.endpoints.gutenberg}; Project Gutenberg's main site is not for "
            "robots and bars those that come; give a mirror, for example https://gutenberg.pglaf.org."
        )


def chosen(config: AcquireConfig) -> dict[str, Mapping[str, Any]]:
    """The sources by name; one set to null is left out."""
    return {name: data for name, data in config.sources.items() if data is not None}


def _wrong_address(path: str, url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
        fine = fine and parts.port != 0
    except ValueError:
        fine = False
    if not fine:
        yield f"{path}: set to {url!r}; allowed: an address that begins with http:// or https:// and has a host."
