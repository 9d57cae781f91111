"""The servers, a file each: what it needs, what it is given, and how it is started."""

import importlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from trivium.errors import ConfigError
from trivium.schema import Config, ExportConfig


class Start(NamedTuple):
    """A server's command, the name of the model in its API, and the path that answers 200 once it is up."""

    command: list[str]
    model: str
    ready: str


class Program(Protocol):
    """What a file of this folder has."""

    KIND: str
    """The kind of export that it serves."""

    def require(self, config: Config) -> None:
        """Raise `ConfigError` where the program is not there."""

    def wanted(self, config: Config) -> ExportConfig:
        """The export that makes what it serves."""

    def part(self, folder: Path, config: Config) -> Path | None:
        """What it serves of a folder of that kind; None where that was not exported."""

    def start(self, config: Config, weights: Path, host: str, port: int) -> Start:
        """How it is started."""


def load(name: str) -> Program:
    """The module of a server."""
    return cast(Program, importlib.import_module(f"trivium.serving.programs.{name}"))


def require_packages(server: str, names: Iterable[str], way: str) -> None:
    """Raise `ConfigError` unless every package is installed."""
    lacking = [name for name in names if importlib.util.find_spec(name) is None]
    if lacking:
        raise ConfigError(
            f"serve={server} needs {', '.join(lacking)}, which {'is' if len(lacking) == 1 else 'are'} not installed; {way}."
        )
