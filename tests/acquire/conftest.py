"""A local archive, and a way to acquire from it quickly."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from local import config_for
from server import Archive

from trivium.acquire.run import acquire


@pytest.fixture
def archive() -> Iterator[Archive]:
    server = Archive()
    yield server
    server.close()


@pytest.fixture
def fetched(archive: Archive, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Acquire into a folder (`out` by default) and return the report."""

    def run(sources: dict[str, Any], out: str = "out", **settings: Any) -> dict[str, Any]:
        return acquire(config_for(archive.url, sources, **settings), tmp_path / out, first_wait=0.01)

    return run
