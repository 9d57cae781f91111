"""YAML files of data, read safely; every complaint names the file and the key."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from trivium.errors import ConfigError

_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def shipped(folder: Path) -> frozenset[str]:
    """Names of the YAML files that come along in a folder of the package."""
    return frozenset(path.stem for path in folder.glob("*.yaml"))


def located(name: str, folder: Path) -> tuple[Path, int]:
    """The file of a name shipped in `folder`, or else of a path; and when one's own file was changed (nanoseconds), so that
    what was read of it is kept until then. 0 for one that comes along or is not there.
    """
    if name in shipped(folder):
        return folder / f"{name}.yaml", 0
    path = Path(name).expanduser()
    return path, path.stat().st_mtime_ns if path.is_file() else 0


@dataclass(frozen=True)
class Entry:
    """A mapping in a YAML file, its values fetched by what they must be; all methods raise `ConfigError`."""

    path: Path
    place: str
    value: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path, setting: str) -> "Entry":
        """The whole of a file that the configuration names under the key `setting`."""
        try:
            data = yaml.load(path.read_bytes(), Loader=_LOADER)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ConfigError(f"{setting}: {path} cannot be read ({reason}); give a shipped name or a YAML file.") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{setting}: {path} is not YAML ({' '.join(str(error).split())}).") from error
        return cls(path, "", {})._of("", data)

    def at(self, key: str) -> "Entry":
        """The mapping under a key."""
        return self._of(f"{self.place}.{key}" if self.place else key, self.value[key])

    def entries(self, key: str) -> "list[Entry]":
        """The mappings in a list that is not empty."""
        value = self.value[key]
        self.require(isinstance(value, list) and bool(value), f"{key} is {value!r}; write a list of `key: value` pairs")
        place = f"{self.place}.{key}" if self.place else key
        return [self._of(f"{place}[{i}]", item) for i, item in enumerate(value)]

    def _of(self, place: str, value: Any) -> "Entry":
        inner = Entry(self.path, place, value)
        inner.require(isinstance(value, dict), f"expected `key: value` pairs, found {value!r}")
        odd = [key for key in value if not isinstance(key, str) or not key.strip()]
        inner.require(not odd, f"the key {odd[:1]} is not a text; put words such as no, yes and 1900 in quotes")
        return inner

    def require(self, holds: bool, sentence: str) -> None:
        """Complain unless a condition holds."""
        if not holds:
            raise ConfigError(f"{self.path}: {self.place}{': ' if self.place else ''}{sentence}.")

    def keys(self, required: str, optional: str = "") -> "Entry":
        """The entry itself, if it has these keys (separated by spaces) and no others."""
        needed, allowed = required.split(), {*required.split(), *optional.split()}
        missing, unknown = [k for k in needed if k not in self.value], [k for k in self.value if k not in allowed]
        self.require(not missing, f"the key {', '.join(missing)} is missing")
        self.require(not unknown, f"unknown key {', '.join(unknown)}; allowed are {', '.join(sorted(allowed))}")
        return self

    def number(self, key: str, low: float, high: float) -> float:
        """A number from low to high."""
        value = self.value[key]
        fine = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        self.require(fine, f"{key} is {value!r}; allowed are numbers from {low} to {high}")
        return float(value)

    def numbers(self, low: float, high: float) -> dict[str, float]:
        """All values, each a number from low to high."""
        return {key: self.number(key, low, high) for key in self.value}

    def text(self, key: str) -> str:
        """A text that is not empty."""
        value = self.value[key]
        self.require(isinstance(value, str) and bool(value.strip()), f"{key} is {value!r}; write a text")
        return str(value).strip()

    def one_of(self, key: str, allowed: Collection[str]) -> str:
        """One of some texts."""
        value = self.value[key]
        self.require(value in allowed, f"{key} is {value!r}; allowed are {', '.join(allowed)}")
        return str(value)

    def phrases(self, key: str, missing: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of texts; `missing` where there is no such key."""
        if missing is not None and key not in self.value:
            return missing
        value = self.value[key]
        self.require(isinstance(value, list), f"{key} is {value!r}; write a list of phrases")
        odd = [item for item in value if not isinstance(item, str) or not item.strip()]
        self.require(not odd, f"{key} holds {odd[:1]}, which is no text; put quotes around words such as no and yes")
        return tuple(value)
