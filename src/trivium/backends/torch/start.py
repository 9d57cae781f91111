"""Where a training starts: the base model with a new adapter, or what an earlier training left."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from trivium.models.adapters import attach
from trivium.models.load import load_base, load_trainable
from trivium.schema import Config

Load = Callable[[Config, str, Path | None], Any]
"""Makes the model to train of the settings, the base model's path or hub id, and the folder with earlier weights, if any."""


def load(config: Config, base: str, weights: Path | None = None) -> Any:
    """Transformers' model, with PEFT's adapter where one is trained."""
    if weights is not None:
        return load_trainable(config.model, config.hardware, base, weights, config.adapter)
    return attach(load_base(config.model, config.hardware, base, config.adapter), config.adapter, config.seed)
