"""What a backend and a machine can do, and whom they tell."""

import importlib
from collections.abc import Iterator
from pathlib import Path

from trivium.errors import ConfigError
from trivium.schema import Config

BACKENDS = Path(__file__).parents[1] / "backends"


def backend_has_method(config: Config) -> Iterator[str]:
    """The backend has a file for the method."""
    if not (BACKENDS / config.backend.name / f"{config.method.name}.py").is_file():
        having = sorted(p.parent.name for p in BACKENDS.glob(f"*/{config.method.name}.py"))
        yield f"backend={config.backend.name} has no method {config.method.name}; backends that have it: {', '.join(having)}."


def backend_can_train_it(config: Config) -> Iterator[str]:
    """What the backend itself cannot do."""
    if (BACKENDS / config.backend.name / "problems.py").is_file():
        yield from importlib.import_module(f"trivium.backends.{config.backend.name}.problems").problems_in(config)


def batch_divides(config: Config) -> Iterator[str]:
    """The total batch is cut into equal micro-batches."""
    from trivium.backends.shape import batch_shape

    try:
        batch_shape(config.method, config.hardware)
    except ConfigError as error:
        yield from error.problems


def processes_can_train_it(config: Config) -> Iterator[str]:
    """What several processes or machines cannot do."""
    from trivium.backends.process.problems import problems_in

    yield from problems_in(config)


def dtype_fits_device(config: Config) -> Iterator[str]:
    """The device computes in the type."""
    if config.hardware.device == "cpu" and config.hardware.dtype == "float16":
        yield "hardware.dtype=float16 does not train on hardware.device=cpu; set hardware.dtype=float32 or bfloat16."


def alerts_can_be_sent(config: Config) -> Iterator[str]:
    """The webhook of alerts can be called."""
    if config.task in ("run", "reproduce") and config.alerts.enabled and config.alerts.webhook is not None:
        from trivium.backends.webhook import problems_in

        yield from problems_in(config.alerts.webhook)
