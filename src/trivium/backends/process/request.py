"""What a training in another process is given: settings that nobody composes again, and the folders it works with."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from trivium.artifact import key_of, write_json
from trivium.binding import Problems, bind_fields
from trivium.errors import ConfigError
from trivium.schema import Config


@dataclass(frozen=True)
class Request:
    """One training: the typed settings, path or hub id of the base model, the prepared data, the run's folder."""

    config: Config
    base: str
    prepared: Path
    out: Path

    @property
    def key(self) -> str:
        """Hash (hex) of the request; the same on every machine that takes part."""
        hardware = {**asdict(self.config.hardware), "machine_rank": 0}
        return key_of({**asdict(self.config), "hardware": hardware}, self.base, self.prepared, self.out)


def write(request: Request, path: Path) -> Path:
    """Write the request as JSON in one step; returns the path."""
    write_json(path, asdict(request))
    return path


def read(path: Path) -> Request:
    """The request in a file; raises `ConfigError` when it is not a whole one."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        settings, base, prepared, out = (data[name] for name in ("config", "base", "prepared", "out"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is not the request of a training ({error}); run trivium, which writes it.") from error
    problems = Problems()
    config = bind_fields(Config, settings, "", problems)
    if problems:
        raise ConfigError([f"{path}: {problem}" for problem in problems])
    return Request(config, base, Path(prepared), Path(out))
