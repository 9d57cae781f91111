"""Unsloth's environment, where `make unsloth` made one here."""

from pathlib import Path

import pytest

from trivium.backends.unsloth import environment

PYTHON = Path(__file__).parents[3] / ".venv-unsloth" / "bin" / "python"

needed = pytest.mark.skipif(
    not PYTHON.exists() or environment.version(str(PYTHON)) is None,
    reason="there is no environment of Unsloth here; `make unsloth` makes one",
)
