"""A download that is not whole yet: `<file>.part` with its validators beside it, so that another run can go on."""

import hashlib
from pathlib import Path
from typing import BinaryIO

import httpx
import orjson

from trivium.acquire.answers import Receipt, receipt_of
from trivium.acquire.problems import Unavailable
from trivium.artifact import write_json


class Part:
    """The bytes of `url` on their way to `target`."""

    def __init__(self, target: Path, url: str) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self._about = target.with_name(f"{target.name}.part.json")
        self._url = url

    def headers(self) -> dict[str, str]:
        """What asks for the missing rest, on condition that the whole has not changed; nothing where that cannot be told."""
        validator = self._validator()
        size = self.path.stat().st_size if validator and self.path.exists() else 0
        return {"Range": f"bytes={size}-", "If-Range": validator} if validator and size else {}

    def _validator(self) -> str:
        try:
            about = orjson.loads(self._about.read_bytes())
            known = about["url"] == self._url
            return str(about["validator"]) if known else ""
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
            return ""

    def open(self, response: httpx.Response, packed: bool) -> BinaryIO:
        """The file to write an answer's body into: at its end for a rest that fits, else from the start.

        Raises `Unavailable` for a rest that does not fit.
        """
        if response.status_code == httpx.codes.PARTIAL_CONTENT:
            size = self.path.stat().st_size if self.path.exists() else 0
            if not response.headers.get("content-range", "").startswith(f"bytes {size}-") or packed:
                self.clear()
                raise Unavailable("cut short", "the server sent another part than asked for", response.url.host)
            return self.path.open("ab")
        self.clear()
        tag = response.headers.get("etag", "")
        validator = tag if tag and not tag.startswith("W/") else response.headers.get("last-modified", "")
        if validator and not packed:
            write_json(self._about, {"url": self._url, "validator": validator})
        return self.path.open("wb")

    def whole(self, response: httpx.Response, digest: tuple[str, str] | None) -> Receipt:
        """The receipt of a complete self. Raises `Unavailable` where its bytes are not those that the server names."""
        wanted = hashlib.new(digest[0]) if digest else None
        ours, size = hashlib.sha256(), 0
        with self.path.open("rb") as file:
            while block := file.read(1 << 20):
                size += len(block)
                ours.update(block)
                if wanted:
                    wanted.update(block)
        total = response.headers.get("content-range", "").rpartition("/")[2]
        if total.isdecimal() and int(total) != size:
            self.clear()
            raise Unavailable("cut short", f"{response.url}: {size} bytes of {total}", response.url.host)
        if digest and wanted and wanted.hexdigest() != digest[1].lower():
            self.clear()
            raise Unavailable("wrong checksum", f"{response.url}: its {digest[0]} is not {digest[1]}", response.url.host)
        return receipt_of(response, ours.hexdigest(), size)

    def clear(self) -> None:
        """Begin again."""
        self.path.unlink(missing_ok=True)
        self._about.unlink(missing_ok=True)

    def become(self, target: Path) -> None:
        """The whole thing takes its name."""
        self.path.replace(target)
        self._about.unlink(missing_ok=True)
