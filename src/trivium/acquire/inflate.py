"""Decompression with an end: what expands beyond a limit is cut off, whatever its headers say."""

import zlib
from collections.abc import Iterator

from trivium.acquire.problems import Unavailable
from trivium.data.rejects import BadRow

BLOCK = 1 << 16
_GZIP = 31
"""zlib's window bits for a gzip member."""


class Inflater:
    """Called with the bytes of a body as they come, yields what they hold; `limit` counts bytes after decompression.

    `encoding` is that of HTTP: gzip, or nothing. Raises `BadRow` beyond the limit and for other encodings.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        name = encoding.strip().lower()
        if name not in ("", "identity", "gzip", "x-gzip"):
            raise BadRow("unknown content encoding", f"{name}; asked for is gzip or none")
        self.packed = name in ("gzip", "x-gzip")
        self.count = 0
        self._limit = limit
        self._member = zlib.decompressobj(_GZIP)
        self._begun = False

    def __call__(self, data: bytes) -> Iterator[bytes]:
        """The next pieces."""
        for piece in self._expanded(data) if self.packed else [data]:
            self.count += len(piece)
            if self.count > self._limit:
                after = " after decompression" if self.packed else ""
                raise BadRow("too large", f"over {self._limit:,} bytes{after} (acquire.http.max_bytes)")
            yield piece

    def finish(self) -> None:
        """Raise `Unavailable` when compressed data breaks off."""
        if self.packed and not self._member.eof and (self._begun or not self.count):
            raise Unavailable("cut short", "the compressed data breaks off")

    def _expanded(self, data: bytes) -> Iterator[bytes]:
        while True:
            self._begun = self._begun or bool(data)
            try:
                piece = self._member.decompress(data, BLOCK)
            except zlib.error as error:
                raise BadRow("broken compression", str(error)) from None
            if piece:
                yield piece
            data = self._member.unconsumed_tail
            if self._member.eof:
                data = self._member.unused_data
                if not data.strip(b"\0"):
                    return
                self._member = zlib.decompressobj(_GZIP)
            elif not data and len(piece) < BLOCK:
                return
