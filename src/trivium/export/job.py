"""What is to be exported, as every kind is told it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trivium.console import Screen
from trivium.schema import Config


@dataclass(frozen=True)
class Job:
    """A finished run. `base` is the folder or hub id that `run/adapter` was trained on (`run/model` stands by itself); the
    forms go to `folder/<kind>/`.
    """

    config: Config
    base: str
    run: Path
    folder: Path
    screen: Screen
    metrics: Mapping[str, float] = field(default_factory=dict)
    verdicts: Mapping[str, str] = field(default_factory=dict)
    run_id: str | None = None
    prepared: Path | None = None
    forced: tuple[str, ...] = ()
    """Sentences of the failed checks in spite of which it is exported."""
