"""One source at work: what it lists is fetched side by side, taken in the order of the list, recorded, and counted."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from trivium.acquire.answers import Receipt
from trivium.acquire.client import Client
from trivium.acquire.ledger import Provenance, Record, Shelf, put
from trivium.acquire.line import Candidate, Line, Outcome
from trivium.acquire.names import safe_name
from trivium.acquire.problems import HostGivenUp
from trivium.data.progress import Progress
from trivium.data.rejects import BadRow, Rejects
from trivium.schema import EndpointsConfig

MEASURED = 5
"""Items of a list whose sizes a dry run asks for; the others are taken to be as large."""

PATIENCE, GRACE = 4, 20
"""A list is given up after this many times as many items as are wanted, and some more, were tried."""


@dataclass(frozen=True)
class Got:
    """An item fetched: its row, and its text, which goes to a file of its own unless it stands in the row.

    `copy` is a file that is taken as it is. Without a row the file describes itself.
    """

    receipt: Receipt
    licence: str
    row: Mapping[str, Any] | None = None
    text: str | None = None
    copy: Path | None = None


Fetch = Callable[[Candidate], Awaitable[Got | None]]
"""Fetches an item; None when it has not changed since it was fetched before. Raises `BadRow` when it is not to be had."""

Measure = Callable[[Candidate], Awaitable[int | None]]


@dataclass
class Tally:
    """What became of a source; `bytes` as fetched. A dry run tells what there would be, as far as that is known."""

    kind: str
    found: int = 0
    taken: int = 0
    resumed: int = 0
    bytes: int | None = 0
    problem: str | None = None


@dataclass
class Job:
    """A source, its place, and what it may use. `key` changes with the settings that change what an item becomes."""

    source: str
    key: str
    client: Client
    endpoints: EndpointsConfig
    shelf: Shelf
    provenance: Provenance
    rejects: Rejects
    tally: Tally
    seed: int
    max_items: int | None
    max_bytes: int
    parallel: int
    dry_run: bool
    refresh: bool
    tell: Progress
    order: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    async def take(
        self, listing: AsyncIterator[Candidate], fetch: Fetch, limit: int | None, measure: Measure | None = None
    ) -> None:
        """Fetch the first `limit` usable items of a list; nothing is fetched that a quicker answer could make needless."""
        limit = self._room(limit)
        if self.dry_run:
            await self._count(listing, limit, measure)
            return
        line = Line()
        tried = announced = 0
        patient = True
        try:
            while True:
                while patient and line.has_room(self.parallel, limit):
                    candidate = await self._next(listing)
                    if candidate is None:
                        break
                    tried, announced = tried + 1, candidate.of or 0
                    patient = limit is None or tried < PATIENCE * limit + GRACE
                    line.add(candidate, self._fetched(candidate, fetch))
                if not line.waiting:
                    return
                for done, outcome in await line.advance():
                    line.taken += self._settle(done, outcome)
        finally:
            self.tally.found += max(0, announced - tried)
            await line.cancel()

    def _room(self, limit: int | None) -> int | None:
        """A limit within what `acquire.max_items` leaves."""
        if self.max_items is None:
            return limit
        rest = max(0, self.max_items - self.tally.taken)
        return rest if limit is None else min(limit, rest)

    async def _next(self, listing: AsyncIterator[Candidate]) -> Candidate | None:
        """The next item that was not listed before; None at the end, or where the list itself fails."""
        try:
            async for candidate in listing:
                if candidate.id not in self._seen:
                    self._seen.add(candidate.id)
                    self.tally.found += 1
                    return candidate
        except BadRow as problem:
            self.fail(problem)
        return None

    def fail(self, problem: BadRow) -> None:
        """The list breaks off here; what it named before stays."""
        self.tally.problem = self.tally.problem or str(problem)

    def known(self, candidate: Candidate) -> Mapping[str, Any]:
        """Validators of the item as it lies here, empty where it has to be fetched in any case."""
        record = self._kept(candidate)
        return {name: record.get(name) for name in ("etag", "modified")} if record else {}

    def _kept(self, candidate: Candidate) -> Record | None:
        record = self.provenance.get(self.source, candidate.id)
        if record is None or record.get("key") != self.key + candidate.mark:
            return None
        return record if self.shelf.holds(candidate.id, record) else None

    async def _fetched(self, candidate: Candidate, fetch: Fetch) -> Outcome:
        kept = self._kept(candidate)
        if kept and not self.refresh:
            return "kept"
        try:
            got = await fetch(candidate)
        except BadRow as problem:
            return "kept" if kept else problem
        if got is None:
            return "kept"
        await asyncio.to_thread(self._store, candidate, got)
        return "new"

    def _store(self, candidate: Candidate, got: Got) -> None:
        """The text first, then its row, its record last: what has a record is whole."""
        receipt = asdict(got.receipt)
        record: dict[str, Any] = {"source": self.source, "id": candidate.id, "licence": got.licence, **receipt}
        record["fetched"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
        row = dict(got.row) if got.row is not None else None
        suffix = ".txt" if got.text is not None else got.copy.suffix.lower() if got.copy is not None else ""
        if suffix:
            record["file"] = f"{safe_name(candidate.id)}{suffix}"
            record["file_sha256"] = put(self.shelf.folder / record["file"], got.text, got.copy)
        if row is not None:
            named = {"file": record["file"]} if suffix else {}
            url = row.pop("url", None) or receipt["url"]
            about = {**named, **row, "licence": got.licence, "url": url, "id": candidate.id}
            record["row_sha256"] = self.shelf.add(candidate.id, {k: v for k, v in about.items() if v not in (None, "", [])})
        self.provenance.add(record | {"key": self.key + candidate.mark})

    def _settle(self, candidate: Candidate, outcome: Outcome) -> bool:
        """Count an item, in the order of the list; whether it was taken."""
        if isinstance(outcome, BadRow):
            self.rejects.add(f"{self.source}/{candidate.id}", None, outcome)
            return False
        record = self.provenance.get(self.source, candidate.id) or {}
        self.order.append(candidate.id)
        self.tally.taken += 1
        self.tally.resumed += outcome == "kept"
        self.tally.bytes = (self.tally.bytes or 0) + int(record.get("bytes", 0))
        self.tell(self.source, self.tally.taken)
        return True

    async def _count(self, listing: AsyncIterator[Candidate], limit: int | None, measure: Measure | None) -> None:
        """Count a list without fetching anything of it: as far as it says itself how long it is, its beginning suffices."""
        counted, total, sizes = 0, None, list[int]()
        while limit is None or counted < limit:
            candidate = await self._next(listing)
            if candidate is None:
                break
            counted, total = counted + 1, candidate.of
            if len(sizes) < MEASURED and (size := await self._measured(candidate, measure)) is not None:
                sizes.append(size)
            if self.tally.problem:
                self.tally.bytes = None
                return
            if total is not None and counted >= MEASURED:
                break
        expected = counted if total is None else total
        wanted = expected if limit is None else min(limit, expected)
        self.tally.found += expected - counted
        self.tally.taken += wanted
        if not sizes and wanted:
            self.tally.bytes = None
        elif self.tally.bytes is not None and sizes:
            self.tally.bytes += round(sum(sizes) / len(sizes) * wanted)
        self.tell(self.source, self.tally.taken)

    async def _measured(self, candidate: Candidate, measure: Measure | None) -> int | None:
        if candidate.bytes is not None or measure is None:
            return candidate.bytes
        try:
            return await measure(candidate)
        except BadRow as problem:
            if isinstance(problem, HostGivenUp):
                self.fail(problem)
            return None

    def scratch(self, candidate: Candidate) -> Path:
        """Where an item's raw bytes may lie until they are read; not seen by whoever reads the folder."""
        return self.shelf.folder / ".parts" / f"{safe_name(candidate.id)}.raw"
