import asyncio
import hashlib
import socket
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from pathlib import Path
from typing import TypeVar

import pytest
from local import QUICK
from server import Archive, Reply, Request, cut, halting, status, truncated

from trivium.acquire.client import Client
from trivium.acquire.problems import Gone
from trivium.data.rejects import BadRow
from trivium.schema import HttpConfig

T = TypeVar("T")
BODY = bytes(range(256)) * 400


def asked(work: Callable[[Client], Awaitable[T]], **http: object) -> T:
    async def run() -> T:
        async with Client(HttpConfig(**{**QUICK, **http}), first_wait=0.01) as client:
            return await work(client)

    return asyncio.run(run())


def outcome(work: Callable[[Client], Awaitable[object]], **http: object) -> str:
    with pytest.raises(BadRow) as caught:
        asked(work, **http)
    return str(caught.value)


def busiest(log: list[Request], seconds: float) -> int:
    """Requests in the fullest window of that length."""
    times = sorted(request.when for request in log)
    return max(sum(start <= t < start + seconds for t in times) for start in times)


@pytest.mark.parametrize("rate", [20, 60])
def test_no_host_is_asked_more_often_than_configured(archive: Archive, rate: int) -> None:
    """Attempts and redirects are requests like all others."""
    for i in range(rate):
        archive.put(f"/{i}", b"text")
    archive.fault("/[0-9]*[05]$", status(500), times=rate // 5)
    archive.fault("/[0-9]*3$", lambda request, reply: Reply(status=302, headers={"Location": "/1"}), times=rate // 10)

    async def all_of(client: Client) -> int:
        await asyncio.gather(*(client.get(f"{archive.url}/{i}") for i in range(rate)))
        return client.requests

    assert asked(all_of, requests_per_second=float(rate), concurrency=16, retries=5) == len(archive.log) > rate
    for seconds in (0.5, 1.0):  # some are late on a busy machine, and meet those after them
        assert busiest(archive.log, seconds) <= rate * seconds + max(2, 0.15 * rate)
    span = archive.log[-1].when - archive.log[0].when
    assert 0.7 * rate < (len(archive.log) - 1) / span < 1.1 * rate


def test_requests_under_way_are_bounded(archive: Archive) -> None:
    archive.routes.append(("/.*", lambda request: Reply(b"text", delay=0.05)))

    async def all_of(client: Client) -> None:
        await asyncio.gather(*(client.get(f"{archive.url}/{i}") for i in range(12)))

    asked(all_of, concurrency=3)
    starts = sorted(request.when for request in archive.log)
    for i, start in enumerate(starts[3:]):
        assert start - starts[i] >= 0.045  # the fourth begins when one of the three before it has ended


def test_it_says_who_it_is(archive: Archive) -> None:
    archive.put("/x", b"text")
    asked(lambda client: client.get(f"{archive.url}/x"), user_agent="trivium/{version} (+mailto:me@example.org)")
    agent = archive.log[0].headers["user-agent"]
    assert agent.startswith("trivium/0") and agent.endswith("(+mailto:me@example.org)")


@pytest.mark.parametrize("spelling", ["seconds", "date"])
def test_a_server_is_left_alone_for_as_long_as_it_asks(archive: Archive, spelling: str) -> None:
    def busy(request: Request, reply: Reply) -> Reply:
        date = formatdate(time.time() + 2, usegmt=True)
        return Reply(status=429, headers={"Retry-After": "1" if spelling == "seconds" else date})

    archive.put("/x", b"text")
    archive.put("/y", b"text")
    archive.fault("/x", busy, times=1)

    async def both(client: Client) -> None:
        first = asyncio.create_task(client.get(f"{archive.url}/x"))
        await asyncio.sleep(0.1)
        await client.get(f"{archive.url}/y")
        await first

    asked(both)
    assert len(archive.log) == 3
    assert all(request.when - archive.log[0].when >= 0.95 for request in archive.log[1:])


def test_a_host_that_asks_for_too_long_a_wait_is_given_up(archive: Archive) -> None:
    archive.fault("/", status(503, Retry_After="3600"))

    async def twice(client: Client) -> None:
        with pytest.raises(BadRow, match="asks to wait 3600 s"):
            await client.get(f"{archive.url}/x")
        await client.get(f"{archive.url}/y")

    assert "host given up" in outcome(twice)
    assert len(archive.log) == 1


def test_a_host_that_nothing_reaches_is_given_up_soon() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/x"
        assert "no connection in 3 attempts" in outcome(lambda client: client.get(url), retries=20)


def test_a_host_that_always_fails_is_given_up(archive: Archive) -> None:
    archive.fault("/", cut)

    async def many(client: Client) -> list[str]:
        return [type(e).__name__ + str(e) for i in range(8) for e in [await failure(client, f"{archive.url}/{i}")]]

    async def failure(client: Client, url: str) -> Exception:
        try:
            await client.get(url)
        except BadRow as error:
            return error
        raise AssertionError

    reasons = asked(many, retries=1)
    assert len(archive.log) == 10
    assert all("host given up" in reason for reason in reasons[5:])


def test_only_what_may_work_later_is_tried_again(archive: Archive) -> None:
    for code, attempts in ((400, 1), (401, 1), (404, 1), (410, 1), (451, 1), (408, 3), (429, 3), (500, 3), (504, 3)):
        archive.log.clear()
        archive.faults.clear()
        archive.fault("/", status(code))
        outcome(lambda client: client.get(f"{archive.url}/x"))
        assert len(archive.log) == attempts, code


def test_what_is_gone_is_told_apart(archive: Archive) -> None:
    with pytest.raises(Gone):
        asked(lambda client: client.get(f"{archive.url}/nothing"))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/x", "//", "http://", "javascript:1"])
def test_only_web_addresses_are_asked(url: str) -> None:
    assert "address" in outcome(lambda client: client.get(url))


def download(archive: Archive, target: Path, **options: object) -> Callable[[Client], Awaitable[object]]:
    return lambda client: client.download(f"{archive.url}/book", target, **options)  # type: ignore[arg-type]


def test_a_download_goes_on_where_it_broke_off(archive: Archive, tmp_path: Path) -> None:
    archive.put("/book", BODY)
    archive.fault("/book", truncated, times=2)
    receipt = asked(download(archive, tmp_path / "book"))
    assert (tmp_path / "book").read_bytes() == BODY
    assert receipt.sha256 == hashlib.sha256(BODY).hexdigest() and receipt.bytes == len(BODY)  # type: ignore[attr-defined]
    ranges = [request.headers.get("range") for request in archive.log]
    assert ranges == [None, f"bytes={len(BODY) // 2}-", f"bytes={len(BODY) * 3 // 4}-"]
    assert [path.name for path in tmp_path.iterdir()] == ["book"]


def test_a_server_without_ranges_is_asked_for_the_whole(archive: Archive, tmp_path: Path) -> None:
    archive.put("/book", BODY)
    archive.ranges = False
    archive.fault("/book", truncated, times=1)
    asked(download(archive, tmp_path / "book"))
    assert (tmp_path / "book").read_bytes() == BODY


def test_a_text_that_changed_in_between_is_fetched_whole(archive: Archive, tmp_path: Path) -> None:
    archive.put("/book", b"old" * 5000)

    def changed(request: Request, reply: Reply) -> Reply:
        archive.put("/book", BODY, **{"Last-Modified": "Tue, 03 Jan 2023 03:04:05 GMT"})
        return truncated(request, reply)

    archive.fault("/book", changed, times=1)
    asked(download(archive, tmp_path / "book"))
    assert archive.log[1].headers["range"] and (tmp_path / "book").read_bytes() == BODY


def test_the_rest_of_another_run_is_used(archive: Archive, tmp_path: Path) -> None:
    archive.put("/book", BODY)
    archive.fault("/book", halting, times=1)
    outcome(download(archive, tmp_path / "book"), retries=0, timeout=0.5)
    assert not (tmp_path / "book").exists()
    asked(download(archive, tmp_path / "book"))
    assert archive.log[-1].headers["range"] == f"bytes={len(BODY) // 2}-"
    assert (tmp_path / "book").read_bytes() == BODY


def test_a_wrong_checksum_is_no_book(archive: Archive, tmp_path: Path) -> None:
    archive.put("/book", BODY)
    assert "wrong checksum" in outcome(download(archive, tmp_path / "book", digest=("sha1", "0" * 40)))
    assert list(tmp_path.iterdir()) == []
    asked(download(archive, tmp_path / "book", digest=("md5", hashlib.md5(BODY).hexdigest())))


def test_what_has_not_changed_is_not_sent_again(archive: Archive, tmp_path: Path) -> None:
    archive.put("/book", BODY)
    receipt = asked(download(archive, tmp_path / "book"))
    known = {"etag": receipt.etag, "modified": receipt.modified}  # type: ignore[attr-defined]
    assert asked(download(archive, tmp_path / "book", known=known)) is None
    archive.put("/book", b"new" * 100)
    archive.files["/book"].headers["Last-Modified"] = "Tue, 03 Jan 2023 03:04:05 GMT"
    assert asked(download(archive, tmp_path / "book", known=known)) is not None
    assert (tmp_path / "book").read_bytes() == b"new" * 100


def test_a_large_body_is_refused_before_it_comes(archive: Archive, tmp_path: Path) -> None:
    archive.put("/book", BODY)
    assert "bytes announced (acquire.http.max_bytes" in outcome(download(archive, tmp_path / "book"), max_bytes=2048)
    assert not (tmp_path / "book").exists()
