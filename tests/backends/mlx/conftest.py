"""These tests are left out where MLX is not installed; `tests/models/test_mlx.py` is then reported as skipped."""

from trivium.models import mlx

collect_ignore_glob = [] if mlx.installed() else ["test_*.py"]
