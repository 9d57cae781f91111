"""Where what is fetched lies."""

from pathlib import Path

from trivium.schema import AcquireConfig


def folder(config: AcquireConfig) -> Path:
    """The folder of an acquisition: provenance, report, and the texts."""
    return Path("data/raw") / config.name if config.dir is None else Path(config.dir).expanduser()


def texts(config: AcquireConfig) -> Path:
    """The folder within it that `dataset.path` reads."""
    return folder(config) / "texts"
