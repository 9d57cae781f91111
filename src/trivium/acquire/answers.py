"""What a server's answer says: addresses, types, lengths, waits, and the receipt of what came."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from trivium.data.rejects import BadRow


@dataclass(frozen=True)
class Receipt:
    """What was fetched: its last address, HTTP status, sha256 (hex) and number of its bytes, and its validators."""

    url: str
    status: int
    sha256: str
    bytes: int
    etag: str | None = None
    modified: str | None = None


@dataclass(frozen=True)
class Answer:
    """A body that fits into memory."""

    body: bytes
    receipt: Receipt


def address_of(url: str, base: httpx.URL | None = None) -> httpx.URL:
    """An address, completed by where it stood. Raises `BadRow` unless it is one of the web."""
    try:
        address = base.join(url) if base is not None else httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise BadRow("not an address", f"{url!r}: {error}") from None
    if address.scheme not in ("http", "https") or not address.host:
        raise BadRow("not a web address", f"{str(address)[:200]!r}; only http and https are followed")
    return address


def shown(address: httpx.URL) -> str:
    """An address in messages: without its query, which may be a page long."""
    return str(address.copy_with(query=None))


def require(response: httpx.Response, kinds: tuple[str, ...]) -> None:
    """Raise `BadRow` unless the content type, where one is given, begins with one of `kinds`; empty allows all."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kinds and kind and not kind.startswith(kinds):
        raise BadRow("wrong content type", f"{shown(response.url)} is {kind}; wanted is {' or '.join(kinds)}")


def packed(response: httpx.Response) -> bool:
    """Whether a body comes compressed."""
    return response.headers.get("content-encoding", "").strip().lower() not in ("", "identity")


def length_of(response: httpx.Response) -> int | None:
    """The bytes that a body is said to have."""
    value = response.headers.get("content-length", "")
    return int(value) if value.isdecimal() else None


def conditions(known: Mapping[str, Any]) -> dict[str, str]:
    """Headers that ask only for what is no longer as `known` (etag, modified) says."""
    names = {"If-None-Match": known.get("etag"), "If-Modified-Since": known.get("modified")}
    return {name: str(value) for name, value in names.items() if value}


def retry_after(value: str) -> float | None:
    """Seconds, from a number of them or an HTTP date; None where the header says neither."""
    if value.strip().isdecimal():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    now = datetime.now(timezone.utc)
    return max(0.0, ((date if date.tzinfo else date.replace(tzinfo=timezone.utc)) - now).total_seconds())


def receipt_of(response: httpx.Response, sha256: str, size: int) -> Receipt:
    """The receipt of a whole body."""
    headers = response.headers
    status = 200 if response.status_code == 206 else response.status_code
    return Receipt(str(response.url), status, sha256, size, headers.get("etag"), headers.get("last-modified"))
