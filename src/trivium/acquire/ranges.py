"""A file on a server that is read like one on disk, in blocks, so that of a large table only the wanted parts are fetched."""

import asyncio
import io
from collections import OrderedDict

from trivium.acquire.client import Client

BLOCK = 1 << 22
"""Bytes asked for at once."""

HELD = 8
"""Blocks kept."""


class RemoteFile(io.RawIOBase):
    """The bytes at `url`, for reading in a thread other than the event loop's. Raises `BadRow` where they cannot be had."""

    def __init__(self, client: Client, url: str, size: int, loop: asyncio.AbstractEventLoop, block: int = BLOCK) -> None:
        super().__init__()
        self._client, self._url, self._size, self._loop, self._block = client, url, size, loop, block
        self._at = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self.fetched = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; returns the position."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer as far as the file goes."""
        wanted = min(len(buffer), max(0, self._size - self._at))
        done = 0
        while done < wanted:
            number, inside = divmod(self._at, self._block)
            piece = self._get(number)[inside : inside + wanted - done]
            if not piece:
                break
            buffer[done : done + len(piece)] = piece
            done += len(piece)
            self._at += len(piece)
        return done

    def _get(self, number: int) -> bytes:
        if number not in self._blocks:
            start = number * self._block
            asked = self._client.bytes_at(self._url, start, min(start + self._block, self._size))
            self._blocks[number] = asyncio.run_coroutine_threadsafe(asked, self._loop).result().body
            self.fetched += len(self._blocks[number])
            if len(self._blocks) > HELD:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return self._blocks[number]
