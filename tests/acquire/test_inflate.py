import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.acquire.inflate import Inflater
from trivium.acquire.problems import Unavailable
from trivium.data.rejects import BadRow


def inflated(data: bytes, step: int, limit: int = 1 << 20) -> bytes:
    inflate = Inflater("gzip", limit)
    pieces = [piece for start in range(0, len(data), step) for piece in inflate(data[start : start + step])]
    inflate.finish()
    return b"".join(pieces)


@given(st.binary(max_size=5000), st.integers(1, 700), st.integers(1, 200))
def test_all_comes_out_however_it_comes_in(data: bytes, step: int, times: int) -> None:
    assert inflated(gzip.compress(data * times), step, 2 << 20) == data * times


@given(st.binary(min_size=1, max_size=200), st.binary(max_size=200), st.integers(1, 50))
def test_members_follow_each_other(a: bytes, b: bytes, step: int) -> None:
    assert inflated(gzip.compress(a) + gzip.compress(b), step) == a + b


@given(st.binary(min_size=10, max_size=2000), st.integers(1, 30))
def test_what_breaks_off_is_noticed(data: bytes, missing: int) -> None:
    packed = gzip.compress(data)
    with pytest.raises((Unavailable, BadRow)):
        inflated(packed[: max(1, len(packed) - missing)], 100)


def test_what_expands_without_end_is_cut_off() -> None:
    inflate = Inflater("gzip", 1 << 20)
    held = 0
    with pytest.raises(BadRow, match="over 1,048,576 bytes after decompression"):
        for piece in inflate(gzip.compress(bytes(64 << 20))):
            held += len(piece)
    assert held <= 1 << 20


def test_nonsense_is_an_error() -> None:
    with pytest.raises(BadRow, match="broken compression"):
        inflated(b"no gzip at all", 5)
    with pytest.raises(BadRow, match="unknown content encoding"):
        Inflater("br", 100)
