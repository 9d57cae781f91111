"""MLX computes without compiling here: a cold compiler takes longer than the tests."""

import os

import pytest

pytest.importorskip("mlx.core", reason="MLX is not installed")

os.environ["MLX_DISABLE_COMPILE"] = "1"
