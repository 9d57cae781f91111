"""The one client that asks every server: paced, bounded, honest about itself, patient, and never content with half a body."""

import asyncio
import hashlib
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import orjson
import stamina

from trivium import __version__
from trivium.acquire.answers import (
    Answer,
    Receipt,
    address_of,
    conditions,
    length_of,
    packed,
    receipt_of,
    require,
    retry_after,
    shown,
)
from trivium.acquire.host import Host
from trivium.acquire.inflate import Inflater
from trivium.acquire.part import Part
from trivium.acquire.problems import Gone, HostGivenUp, Unavailable
from trivium.data.rejects import BadRow
from trivium.schema import HttpConfig

REDIRECTS = 5
FIRST_WAIT = 0.5
"""Seconds of the first back-off (as many again at most by chance); each further one is twice as long."""

SLOWEST = 64
"""Bytes a second, on average, below which an answer counts as silence."""

T = TypeVar("T")


class Client:
    """Requests by the manners of `acquire.http`. All methods raise `BadRow` where a server does not give what is wanted."""

    def __init__(self, config: HttpConfig, first_wait: float = FIRST_WAIT) -> None:
        self._config, self._first_wait = config, first_wait
        self._hosts: dict[str, Host] = {}
        self._slots = asyncio.Semaphore(config.concurrency)
        agent = config.user_agent.replace("{version}", __version__)
        self._session = httpx.AsyncClient(
            headers={"User-Agent": agent}, timeout=httpx.Timeout(config.timeout, pool=None), follow_redirects=False
        )

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.aclose()

    @property
    def requests(self) -> int:
        """Requests sent so far, attempts and redirects included."""
        return sum(host.requests for host in self._hosts.values())

    async def get(self, url: str, params: Mapping[str, Any] | None = None, kinds: tuple[str, ...] = ()) -> Answer:
        """A small body; `kinds` are the content types allowed, as beginnings."""
        address = str(httpx.URL(url, params=params)) if params else url

        async def once() -> Answer:
            async with self._open("GET", address, {"Accept-Encoding": "gzip"}) as response:
                require(response, kinds)
                body = b"".join([piece async for piece in self._pieces(response)])
                return Answer(body, receipt_of(response, hashlib.sha256(body).hexdigest(), len(body)))

        return await self._tried(once)

    async def json(self, url: str, params: Mapping[str, Any] | None = None) -> Any:
        """The value of a JSON answer."""
        answer = await self.get(url, params, kinds=("application/json", "text/json", "text/plain"))
        try:
            return orjson.loads(answer.body)
        except orjson.JSONDecodeError as error:
            raise BadRow("answer is not JSON", f"{answer.receipt.url}: {error}") from None

    async def size(self, url: str) -> int | None:
        """Bytes of what lies at an address, by its headers; None where they do not tell."""

        async def once() -> int | None:
            async with self._open("HEAD", url, {"Accept-Encoding": "identity"}) as response:
                require(response, ())
                return length_of(response)

        return await self._tried(once)

    async def bytes_at(self, url: str, start: int, stop: int) -> Answer:
        """The bytes `[start, stop)` of a file. Raises `BadRow` where the server sends no parts."""

        async def once() -> Answer:
            headers = {"Accept-Encoding": "identity", "Range": f"bytes={start}-{stop - 1}"}
            async with self._open("GET", url, headers) as response:
                require(response, ())
                if not response.headers.get("content-range", "").startswith(f"bytes {start}-"):
                    raise BadRow("server sends no parts", f"{url}: the file can only be had whole")
                body = b"".join([piece async for piece in self._pieces(response)])
                return Answer(body, receipt_of(response, hashlib.sha256(body).hexdigest(), len(body)))

        return await self._tried(once)

    async def download(
        self,
        url: str,
        target: Path,
        kinds: tuple[str, ...] = (),
        digest: tuple[str, str] | None = None,
        known: Mapping[str, Any] | None = None,
    ) -> Receipt | None:
        """Fetch a file of any size, or what is missing of it; None when it still is what `known` (etag, modified) names.

        `digest` is (algorithm, hex) where the server gives one. The file appears whole, on disk, or not at all.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Part(target, url)
        return await self._tried(lambda: self._into(part, url, target, kinds, digest, known or {}))

    async def _into(
        self,
        part: Part,
        url: str,
        target: Path,
        kinds: tuple[str, ...],
        digest: tuple[str, str] | None,
        known: Mapping[str, Any],
    ) -> Receipt | None:
        headers = {"Accept-Encoding": "identity", **(part.headers() or conditions(known))}
        async with self._open("GET", url, headers) as response:
            if response.status_code == httpx.codes.NOT_MODIFIED:
                return None
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                part.clear()
                raise Unavailable("cut short", "the rest that was asked for does not exist", response.url.host)
            require(response, kinds)
            with part.open(response, packed(response)) as file:
                done = file.tell()
                async for piece in self._pieces(response, done):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            receipt = await asyncio.to_thread(part.whole, response, digest)
        part.become(target)
        return receipt

    async def _tried(self, once: Callable[[], Awaitable[T]]) -> T:
        """The result of the first attempt that works; only what may work later is tried again."""
        attempts = stamina.retry_context(
            on=self._again,
            attempts=self._config.retries + 1,
            timeout=None,
            wait_initial=self._first_wait,
            wait_max=self._config.max_wait,
            wait_jitter=self._first_wait,
        )
        try:
            async for attempt in attempts:
                with attempt:
                    return await once()
        except Unavailable as error:
            if error.host:
                self._host(error.host).failed(str(error))
            raise
        raise AssertionError("stamina returns or raises")

    def _again(self, error: Exception) -> bool | float:
        if not isinstance(error, Unavailable):
            return False
        return True if error.wait is None else error.wait + random.uniform(0, self._first_wait)

    @asynccontextmanager
    async def _open(self, method: str, url: str, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """The answer at the end of the redirects, its body not yet read; each hop waits for its host's turn."""
        address = address_of(url)
        for _ in range(REDIRECTS + 1):
            host = self._host(address.host)
            async with host.turn(self._slots), self._answer(method, address, headers) as response:
                if not response.has_redirect_location:
                    self._judge(response, host)
                    yield response
                    return
                address = address_of(str(response.headers["location"]), address)
        raise BadRow("too many redirects", f"{url} leads on more than {REDIRECTS} times")

    @asynccontextmanager
    async def _answer(self, method: str, address: httpx.URL, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        try:
            request = self._session.build_request(method, address, headers=dict(headers))
            response = await self._session.send(request, stream=True)
            try:
                yield response
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            if isinstance(error, httpx.ConnectError):
                self._host(address.host).unreached(str(error) or type(error).__name__)
            kind = "no answer in time" if isinstance(error, httpx.TimeoutException) else "connection failed or cut"
            raise Unavailable(kind, f"{shown(address)}: {str(error) or type(error).__name__}", address.host) from error

    def _judge(self, response: httpx.Response, host: Host) -> None:
        """Raise unless the status lets the body be read."""
        status = response.status_code
        url = shown(response.url)
        if status in (408, 425, 429) or status >= 500:
            wait = retry_after(response.headers.get("retry-after", ""))
            if wait is not None and wait > self._config.max_wait:
                asked = f"it asks to wait {wait:.0f} s, acquire.http.max_wait is {self._config.max_wait:.0f} s"
                host.give_up(asked)
                raise HostGivenUp(host.name, asked)
            if wait is not None:
                host.hold(wait)
            raise Unavailable(f"server error {status}", url, host.name, wait)
        host.answered()
        if status in (404, 410):
            raise Gone(f"not there ({status})", url)
        if status >= 400 and status != 416:
            raise BadRow(f"refused ({status})", url)

    def _host(self, name: str) -> Host:
        if name not in self._hosts:
            self._hosts[name] = Host(name, self._config.requests_per_second)
        return self._hosts[name]

    async def _pieces(self, response: httpx.Response, done: int = 0) -> AsyncIterator[bytes]:
        """The decompressed body. Raises `Unavailable` where it breaks off or drips, `BadRow` where it does not end."""
        inflate = Inflater(response.headers.get("content-encoding", ""), self._config.max_bytes - done)
        if (length := length_of(response)) and length > self._config.max_bytes:
            raise BadRow("too large", f"{length:,} bytes announced (acquire.http.max_bytes is {self._config.max_bytes:,})")
        started, received = time.monotonic(), 0
        async for raw in response.aiter_raw():
            received += len(raw)
            seconds = time.monotonic() - started
            if seconds > self._config.timeout and received < seconds * SLOWEST:
                dripped = f"{response.url}: {received} bytes in {seconds:.0f} s"
                raise Unavailable("no answer in time", dripped, response.url.host)
            for piece in inflate(raw):
                yield piece
        if length is not None and received != length:
            raise Unavailable("cut short", f"{response.url}: {received} bytes of {length}", response.url.host)
        inflate.finish()
