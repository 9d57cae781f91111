"""What steps tell of how far they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from trivium.data.progress import TICK, WRITE, write_lines


def test_lines_are_written_and_told_every_tick(tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    lines = [b"%d\n" % i for i in range(2 * TICK + 1)]
    write_lines(tmp_path / "rows", lines, lambda step, done: told.append((step, done)))
    assert (tmp_path / "rows").read_bytes() == b"".join(lines)
    assert told == [(WRITE, 0), (WRITE, TICK), (WRITE, 2 * TICK)]


def test_a_file_whose_lines_fail_is_not_there(tmp_path: Path) -> None:
    def lines() -> Iterator[bytes]:
        yield b"one\n"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_lines(tmp_path / "rows", lines(), lambda step, done: None)
    assert not list(tmp_path.iterdir())
