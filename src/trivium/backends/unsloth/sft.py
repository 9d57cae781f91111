"""Supervised fine-tuning with Unsloth's models: cross-entropy, plain or weighted by provenance."""

from pathlib import Path
from typing import TYPE_CHECKING

from trivium.backends.lines import Progress
from trivium.backends.process.request import Request
from trivium.backends.unsloth import away
from trivium.schema import Config
from trivium.tracking.tracker import Recorder

if TYPE_CHECKING:
    from trivium.evaluation.probe import Watch


def train(
    config: Config,
    base: str,
    prepared: Path,
    out: Path,
    *,
    record: Recorder,
    progress: Progress,
    watch: "Watch | None" = None,
) -> dict[str, float]:
    """As `backends.torch.sft.train`, which runs in the other process; a `watch` is refused with `ConfigError`."""
    asked = Request(config, base, prepared.resolve(), out.resolve())
    return away.train("trivium.backends.unsloth.inside.sft", asked, record, progress, watch)
