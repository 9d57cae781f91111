"""A server on this machine that behaves like the archives, well or badly.

It speaks HTTP/1.1 by hand, because most of what it is for, such as bodies that break off, a proper server does not do.
"""

import asyncio
import csv
import gzip
import hashlib
import io
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import parse_qs, unquote, urlsplit

from worlds import gutenberg_text, prose, rdf

PAGE = 7
"""Items on a page of any search, whatever is asked for."""

MODIFIED = "Mon, 02 Jan 2023 03:04:05 GMT"


@dataclass
class Reply:
    """An answer; `length` is what it announces, where that is not the truth."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    delay: float = 0.0
    pace: float = 0.0
    """Seconds between the bytes of a body that drips."""

    hold: float = 0.0
    """Seconds that a connection stays open after all that comes."""


@dataclass
class Fault:
    """What befalls requests whose path matches; `times` of them, then no more."""

    path: str
    change: Callable[["Request", Reply], Reply | None]
    times: int = 10**9
    seen: int = 0


@dataclass(frozen=True)
class Request:
    when: float
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    target: str
    """The path as it was sent."""


class Archive:
    """The server, in a thread of its own; `log` holds every request."""

    def __init__(self) -> None:
        self.files: dict[str, Reply] = {}
        self.routes: list[tuple[str, Callable[[Request], Reply]]] = []
        self.faults: list[Fault] = []
        self.log: list[Request] = []
        self.ranges = True
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def fault(self, path: str, change: Callable[[Request, Reply], Reply | None], times: int = 10**9) -> None:
        self.faults.append(Fault(path, change, times))

    def put(self, path: str, body: bytes, kind: str = "text/plain; charset=utf-8", **headers: str) -> None:
        tag = f'"{hashlib.sha256(body).hexdigest()[:12]}"'
        self.files[path] = Reply(body, headers={"Content-Type": kind, "ETag": tag, "Last-Modified": MODIFIED, **headers})

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.log if re.search(path, request.path)]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await self._read(reader)) is not None:
                self.log.append(request)
                reply = self._reply(request)
                if reply is None or not await self._write(request, reply, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Request | None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        parts = urlsplit(target)
        return Request(time.monotonic(), method, unquote(parts.path), parse_qs(parts.query), headers, parts.path)

    def _reply(self, request: Request) -> Reply | None:
        found = next((make(request) for path, make in self.routes if re.fullmatch(path, request.path)), None)
        reply = found or self.files.get(request.path) or Reply(b"not here", 404, {"Content-Type": "text/plain"})
        reply = self._conditional(request, reply)
        for fault in self.faults:
            if re.search(fault.path, request.path) and fault.seen < fault.times:
                fault.seen += 1
                return fault.change(request, reply)
        return reply

    def _conditional(self, request: Request, reply: Reply) -> Reply:
        tag = reply.headers.get("ETag", "")
        asked, since = request.headers.get("if-none-match"), request.headers.get("if-modified-since")
        if tag and (asked == tag or (asked is None and since == MODIFIED)):
            return Reply(status=304, headers={"ETag": tag})
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if not (wanted and self.ranges and reply.status == 200 and request.headers.get("if-range", tag) in (tag, MODIFIED)):
            return reply
        start, size = int(wanted[1]), len(reply.body)
        stop = min(int(wanted[2] or size - 1) + 1, size)
        if start >= size:
            return Reply(status=416)
        headers = {**reply.headers, "Content-Range": f"bytes {start}-{stop - 1}/{size}"}
        return Reply(reply.body[start:stop], 206, headers)

    async def _write(self, request: Request, reply: Reply, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection may go on."""
        await asyncio.sleep(reply.delay)
        length = len(reply.body) if reply.length is None else reply.length
        lines = [f"HTTP/1.1 {reply.status} .", f"Content-Length: {length}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if request.method == "HEAD" or reply.status == 304:
            return True
        step = 1 if reply.pace else max(1, len(reply.body))
        for start in range(0, len(reply.body), step):
            writer.write(reply.body[start : start + step])
            await writer.drain()
            await asyncio.sleep(reply.pace)
        await writer.drain()
        await asyncio.sleep(reply.hold)
        return length == len(reply.body)


# --- faults -----------------------------------------------------------------------------------------------------------


def status(code: int, **headers: str) -> Callable[[Request, Reply], Reply]:
    return lambda request, reply: Reply(b"no", code, {k.replace("_", "-"): v for k, v in headers.items()})


def truncated(request: Request, reply: Reply) -> Reply:
    """Half of the body, the connection then cut."""
    return Reply(reply.body[: len(reply.body) // 2], reply.status, reply.headers, length=len(reply.body))


def halting(request: Request, reply: Reply) -> Reply:
    """Half of the body, and then nothing for a long time."""
    return Reply(reply.body[: len(reply.body) // 2], reply.status, reply.headers, length=len(reply.body), hold=30)


def error_page(request: Request, reply: Reply) -> Reply:
    """A page that says sorry, with the status of success."""
    return Reply(b"<!DOCTYPE html><html><body>Sorry.</body></html>", 200, {"Content-Type": "text/html"})


def lying_page(request: Request, reply: Reply) -> Reply:
    """The same, called a text."""
    return Reply(b"<!DOCTYPE html><html><body>Sorry.</body></html>", 200, {"Content-Type": "text/plain"})


def silent(request: Request, reply: Reply) -> Reply:
    return Reply(reply.body, reply.status, reply.headers, delay=30)


def dripping(request: Request, reply: Reply) -> Reply:
    return Reply(reply.body, reply.status, reply.headers, pace=0.1)


def cut(request: Request, reply: Reply) -> None:
    """No answer at all."""


def circle(request: Request, reply: Reply) -> Reply:
    return Reply(status=302, headers={"Location": request.path})


def to_disk(request: Request, reply: Reply) -> Reply:
    return Reply(status=302, headers={"Location": "file:///etc/passwd"})


def bomb(request: Request, reply: Reply) -> Reply:
    """Some kilobytes that hold 64 MB."""
    kind = reply.headers.get("Content-Type", "text/plain")
    return Reply(_bomb(), 200, {"Content-Type": kind, "Content-Encoding": "gzip"})


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(64 << 20))


# --- the archives -----------------------------------------------------------------------------------------------------


def gutenberg(archive: Archive, books: dict[int, tuple[str, str, int | None]], sizes: dict[int, int] | None = None) -> None:
    """A mirror under /pg and the catalogue under /feeds: number to (title, author, year of death)."""
    cells = io.StringIO()
    table = csv.writer(cells)
    table.writerow(["Text#", "Type", "Issued", "Title", "Language", "Authors", "Subjects", "LoCC", "Bookshelves"])
    for number, (title, author, died) in books.items():
        body = prose(number, (sizes or {}).get(number, 400))
        archive.put(f"/pg/cache/epub/{number}/pg{number}.txt", gutenberg_text(title, body))
        archive.put(f"/pg/cache/epub/{number}/pg{number}.rdf", rdf(number, title, author, died), "application/rdf+xml")
        subject = "Harbours -- Fiction; Bells" if number % 2 else "Orchards -- Fiction"
        table.writerow([number, "Text", "2004-10-02", title, "en", author, subject, "PR", ""])
    archive.put("/feeds/pg_catalog.csv.gz", gzip.compress(cells.getvalue().encode(), mtime=0), "application/gzip")


def internet_archive(archive: Archive, identifiers: list[str]) -> None:
    """Search, metadata and downloads under /ia; downloads lead to another path, as the archive's do to its nodes."""

    def search(request: Request) -> Reply:
        page = int(request.query["page"][0])
        wanted = request.query["q"][0]
        chosen = [i for n, i in enumerate(identifiers) if 'subject:"Bells"' not in wanted or n % 2]
        shown = chosen[(page - 1) * PAGE : page * PAGE]
        docs = [{"identifier": i, "title": f"Book {i}", "creator": "A. Keeper"} for i in shown]
        return _json({"response": {"numFound": len(chosen), "docs": docs}})

    def metadata(request: Request) -> Reply:
        identifier = request.path.removeprefix("/ia/metadata/")
        if identifier not in identifiers:
            return _json({})
        body = prose(identifiers.index(identifier) + 1000).encode()
        file = {"name": "scan 1_djvu.txt", "size": str(len(body)), "sha1": hashlib.sha1(body).hexdigest()}
        about = {"identifier": identifier, "date": "1890", "language": "eng", "subject": ["Bells"], "rights": "public domain"}
        return _json({"metadata": about, "files": [{"name": "scan.pdf"}, file]})

    def moved(request: Request) -> Reply:
        return Reply(status=302, headers={"Location": request.target.replace("/ia/download", "/node/7")})

    for number, identifier in enumerate(identifiers):
        archive.put(f"/node/7/{identifier}/scan 1_djvu.txt", prose(number + 1000).encode())
    archive.routes += [
        ("/ia/advancedsearch.php", search),
        ("/ia/metadata/.*", metadata),
        ("/ia/download/.*", moved),
    ]


def newspapers(archive: Archive, pages: int) -> None:
    """Search, page records and texts under /loc; the text server is another path."""

    def search(request: Request) -> Reply:
        page = int(request.query["sp"][0])
        numbers = range(1, pages + 1)[(page - 1) * PAGE : page * PAGE]
        found = [
            {
                "id": f"http://www.loc.gov/resource/sn{n // 2}/1891-02-0{n % 9 + 1}/ed-1/?sp={n}",
                "title": f"The Harbour Bell, number {n}",
                "date": f"1891-02-0{n % 9 + 1}",
                "partof_title": ["The harbour bell"],
                "location_state": ["maine"],
            }
            for n in numbers
        ]
        more = archive.url + "/loc/next" if page * PAGE < pages else None
        return _json({"results": found, "pagination": {"next": more, "of": pages}})

    def record(request: Request) -> Reply:
        first, this = ({"fulltext_service": f"{archive.url}/tile/{n}"} for n in ("1", request.query["sp"][0]))
        return _json({"resources": [first], "page": [{"mimetype": "image/jpeg"}, this]})

    def text(request: Request) -> Reply:
        number = int(request.path.rpartition("/")[2])
        return _json({f"/service/{number}.xml": {"full_text": prose(number + 2000)}})

    archive.routes += [
        ("/loc/collections/chronicling-america/", search),
        ("/loc/resource/.*", record),
        ("/tile/.*", text),
    ]


def hub(archive: Archive, rows: int, group: int = 10) -> None:
    """One dataset, me/letters, under /hf: two Parquet files, their addresses those of the original hub."""
    import pyarrow
    import pyarrow.parquet

    names = []
    for part in range(2):
        numbers = range(part * rows // 2, (part + 1) * rows // 2)
        table = pyarrow.table({"body": [prose(n + 3000, 60) for n in numbers], "name": [f"Letter {n}" for n in numbers]})
        sink = io.BytesIO()
        pyarrow.parquet.write_table(table, sink, row_group_size=group)
        names.append(f"/api/datasets/me/letters/parquet/default/train/{part}.parquet")
        archive.put(f"/hf{names[-1]}", sink.getvalue(), "application/octet-stream")
    listing = [f"https://huggingface.co{name}" for name in names]
    archive.routes += [
        ("/hf/api/datasets/me/letters", lambda request: _json({"cardData": {"license": "cc0-1.0"}, "sha": "abc"})),
        ("/hf/api/datasets/me/letters/parquet/default/train", lambda request: _json(listing)),
    ]


def _json(value: object) -> Reply:
    return Reply(json.dumps(value).encode(), headers={"Content-Type": "application/json"})
