"""A training in Unsloth's own environment, followed from here."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from trivium.backends.lines import Progress
from trivium.backends.process import parent, request
from trivium.backends.process.request import Request
from trivium.backends.unsloth import environment
from trivium.errors import ConfigError
from trivium.schema import Config
from trivium.tracking.tracker import Recorder

if TYPE_CHECKING:
    from trivium.evaluation.probe import Watch

NOT_WATCHED = (
    "backend=unsloth trains in another process, where nobody can look at the model, so no trial can be stopped early; set "
    "sweep.pruner=none, or backend=torch."
)


def train(
    module: str,
    config: Config,
    base: str,
    prepared: Path,
    out: Path,
    *,
    record: Recorder,
    progress: Progress,
    watch: "Watch | None" = None,
) -> dict[str, float]:
    """Run `module.train` there; returns its final metrics.

    Raises what that training raises, and `ConfigError` where there is no such environment, or for a `watch`.
    """
    if watch is not None:
        raise ConfigError(NOT_WATCHED)
    python = environment.interpreter(config)
    asked = Request(config, base, prepared.resolve(), out.resolve())
    with TemporaryDirectory(prefix="trivium-") as scratch:
        command = [python, *parent.child(request.write(asked, Path(scratch) / "request.json"), module)]
        return parent.train(command, environment.variables(config), asked, record, progress)
