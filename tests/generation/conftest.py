"""Passages, and a teacher that is told how to behave."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from teachers import FakeTeacher, tell_of, write_passages


@pytest.fixture
def passages(tmp_path: Path) -> Path:
    """24 passages of 6 works."""
    return write_passages(tmp_path / "passages.jsonl", tell_of(6, 4))


@pytest.fixture
def teacher() -> Iterator[FakeTeacher]:
    server = FakeTeacher()
    yield server
    server.close()
