"""The table of contents of a GGUF file, by the format's own description; nothing of the weights is read."""

import struct
from collections import Counter
from pathlib import Path
from typing import IO, NamedTuple

from trivium.errors import ModelError

_MAGIC = b"GGUF"
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value, by the code of its type."""
_STRING, _ARRAY = 8, 9
_ALIGNMENT = 32


class Blocks(NamedTuple):
    """How a type stores numbers: its name, how many stand in a block, and the bytes that a block takes."""

    name: str
    numbers: int
    size: int


TYPES = {
    0: Blocks("f32", 1, 4),
    1: Blocks("f16", 1, 2),
    2: Blocks("q4_0", 32, 18),
    3: Blocks("q4_1", 32, 20),
    6: Blocks("q5_0", 32, 22),
    7: Blocks("q5_1", 32, 24),
    8: Blocks("q8_0", 32, 34),
    10: Blocks("q2_k", 256, 84),
    11: Blocks("q3_k", 256, 110),
    12: Blocks("q4_k", 256, 144),
    13: Blocks("q5_k", 256, 176),
    14: Blocks("q6_k", 256, 210),
    20: Blocks("iq4_nl", 32, 18),
    30: Blocks("bf16", 1, 2),
}


def tensor_types(path: Path) -> dict[str, int]:
    """How many tensors there are of each type, the most frequent first.

    Raises `ModelError` when it is no GGUF file or ends before the last tensor does.
    """
    try:
        with path.open("rb") as file:
            tensors, start = _read(file)
    except (struct.error, KeyError) as error:
        raise ModelError(f"{path} is no whole GGUF file ({error}); export it again.") from error
    end = start + max((offset + size for _, offset, size in tensors), default=0)
    if path.stat().st_size < end:
        raise ModelError(f"{path} has {path.stat().st_size} bytes of {end}; export it again.")
    return dict(Counter(name for name, _, _ in tensors).most_common())


def _read(file: IO[bytes]) -> tuple[list[tuple[str, int, int]], int]:
    """Type, offset and size of every tensor (bytes), and where their bytes begin."""
    if file.read(4) != _MAGIC:
        raise struct.error("it does not begin with GGUF")
    _, tensors, pairs = _numbers(file, "<IQQ")
    for _ in range(pairs):
        _skip(file, _STRING)
        _skip(file, _numbers(file, "<I")[0])
    found = [_tensor(file) for _ in range(tensors)]
    return found, -(-file.tell() // _ALIGNMENT) * _ALIGNMENT


def _tensor(file: IO[bytes]) -> tuple[str, int, int]:
    _skip(file, _STRING)
    shape = _numbers(file, f"<{_numbers(file, '<I')[0]}Q")
    code, offset = _numbers(file, "<IQ")
    count = 1
    for length in shape:
        count *= length
    kind = TYPES[code]
    return kind.name, offset, count // kind.numbers * kind.size


def _skip(file: IO[bytes], code: int) -> None:
    """Pass over a value of a type."""
    if code == _STRING:
        file.seek(_numbers(file, "<Q")[0], 1)
    elif code == _ARRAY:
        inner, count = _numbers(file, "<IQ")
        if inner in _WIDTHS:
            file.seek(_WIDTHS[inner] * count, 1)
        else:
            for _ in range(count):
                _skip(file, inner)
    else:
        file.seek(_WIDTHS[code], 1)


def _numbers(file: IO[bytes], form: str) -> tuple[int, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))
