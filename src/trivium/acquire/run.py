"""Acquisition: every source at once, each into its own folder, with one client, one provenance file and one report."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

from trivium.acquire.client import FIRST_WAIT, Client
from trivium.acquire.job import Job, Tally
from trivium.acquire.kinds import chosen, kind_of, options_of, problems_in
from trivium.acquire.ledger import Provenance, Shelf
from trivium.artifact import key_of
from trivium.binding import Problems
from trivium.data.jsonl import atomic_writer, write_json
from trivium.data.progress import Progress, quiet
from trivium.data.rejects import BadRow, Rejects
from trivium.errors import ConfigError, DataError
from trivium.schema import AcquireConfig

TEXTS = "texts"
"""The folder of the sources' folders: what `dataset.path` reads."""

PROVENANCE, REJECTS, REPORT = "provenance.jsonl", "rejects.jsonl", "report.json"
AMOUNTS = ("n", "max_per_subject", "max_items")
"""Options that say how many items are wanted, not what becomes of one."""

AHEAD = 2
"""Items of a source under way for each request that may be: the next is ready when one ends."""


def acquire(config: AcquireConfig, out: Path, tell: Progress | None = None, first_wait: float = FIRST_WAIT) -> dict[str, Any]:
    """Fetch all sources into `out`: `texts/<source>/`, provenance.jsonl, rejects.jsonl and report.json; returns the report.

    What an earlier run fetched whole is not fetched again. A dry run writes the report alone. `first_wait` is the first
    back-off in seconds. Raises `ConfigError` for a configuration that cannot be run and `DataError` when fewer than
    `acquire.min_sources` sources gave an item, or when the disk refuses.
    """
    if problems := list(problems_in(config)):
        raise ConfigError(problems)
    with _retries_unlogged():
        report = asyncio.run(_acquire(config, out, tell or quiet, first_wait))
    _require_sources(config, report)
    return report


async def _acquire(config: AcquireConfig, out: Path, tell: Progress, first_wait: float) -> dict[str, Any]:
    out.mkdir(parents=True, exist_ok=True)
    provenance = Provenance(out / PROVENANCE)
    sources = chosen(config)
    rejected = {name: BytesIO() for name in sources}
    async with Client(config.http, first_wait) as client:
        jobs = [
            _job(config, name, data, out, client, provenance, Rejects(rejected[name]), tell) for name, data in sources.items()
        ]
        await _together([_run(config, job, sources[job.source]) for job in jobs])
        requests = client.requests
    if not config.dry_run:
        provenance.write(list(sources))
        with atomic_writer(out / REJECTS) as file:
            for lines in rejected.values():
                file.write(lines.getvalue())
    report = _report(config, jobs, requests)
    write_json(out / REPORT, report)
    return report


async def _together(works: list[Any]) -> None:
    """Wait for all; when one fails for a reason that ends the run, the others are stopped first."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _job(
    config: AcquireConfig,
    name: str,
    data: Mapping[str, Any],
    out: Path,
    client: Client,
    provenance: Provenance,
    rejects: Rejects,
    tell: Progress,
) -> Job:
    module = kind_of(str(data["kind"]))
    folder = out / TEXTS / name
    if not config.dry_run:
        folder.mkdir(parents=True, exist_ok=True)
    settings = {key: value for key, value in data.items() if key not in AMOUNTS}
    return Job(
        source=name,
        key=key_of(settings, config.seed if module.SEEDED else 0),
        client=client,
        endpoints=config.endpoints,
        shelf=Shelf(folder, module.ROWS if module.ROWS == "catalogue" else name),
        provenance=provenance,
        rejects=rejects,
        tally=Tally(str(data["kind"])),
        seed=config.seed,
        max_items=config.max_items,
        max_bytes=config.http.max_bytes,
        parallel=AHEAD * config.http.concurrency,
        dry_run=config.dry_run,
        refresh=config.refresh,
        tell=tell,
    )


async def _run(config: AcquireConfig, job: Job, data: Mapping[str, Any]) -> None:
    problems = Problems()
    options = options_of(job.source, data, problems)
    try:
        await kind_of(job.tally.kind).fetch(options, job)
    except BadRow as problem:
        job.fail(problem)
    if not config.dry_run:
        await asyncio.to_thread(_settle, job)


def _settle(job: Job) -> None:
    """Bring a source's folder into its final order, and take away what it holds of an earlier, larger choice.

    Where the list broke off, what an earlier run took stays.
    """
    before = job.provenance.of(job.source)
    taken = set(job.order)
    if job.tally.problem:
        kept = [r["id"] for r in before if r["id"] not in taken and job.shelf.holds(r["id"], r)]
        job.order.extend(kept)
        job.tally.taken += len(kept)
        job.tally.resumed += len(kept)
        taken |= set(kept)
    used = {record.get("file") for record in before if record["id"] in taken}
    for record in before:
        if record["id"] not in taken and record.get("file") and record["file"] not in used:
            (job.shelf.folder / Path(record["file"]).name).unlink(missing_ok=True)
    job.shelf.finish(job.order)
    job.provenance.keep(job.source, job.order)
    with suppress(OSError):
        (job.shelf.folder / ".parts").rmdir()


def _report(config: AcquireConfig, jobs: list[Job], requests: int) -> dict[str, Any]:
    sources = {
        job.source: {**asdict(job.tally), "skipped": dict(job.rejects.reasons), "examples": job.rejects.first()} for job in jobs
    }
    tallies = [job.tally for job in jobs]
    sizes = [tally.bytes for tally in tallies if tally.bytes is not None]
    totals = {
        "sources": sum(tally.taken > 0 for tally in tallies),
        "found": sum(tally.found for tally in tallies),
        "taken": sum(tally.taken for tally in tallies),
        "resumed": sum(tally.resumed for tally in tallies),
        "skipped": sum(job.rejects.count for job in jobs),
        "bytes": sum(sizes) if len(sizes) == len(tallies) else None,
        "requests": requests,
    }
    return {"name": config.name, "dry_run": config.dry_run, "sources": sources, "totals": totals}


def _require_sources(config: AcquireConfig, report: Mapping[str, Any]) -> None:
    given = report["totals"]["sources"]
    if not config.sources or given >= config.min_sources:
        return
    reasons = [f"{name}: {why(source)}" for name, source in report["sources"].items() if not source["taken"]]
    raise DataError(
        f"acquire: {given} of {len(report['sources'])} sources gave something, acquire.min_sources is {config.min_sources}. "
        f"{'; '.join(reasons)}. Another run goes on from what is there."
    )


def why(source: Mapping[str, Any]) -> str:
    """Why a source gave nothing, or less than it might: its list's problem, or the commonest reason of its items."""
    if source["problem"]:
        return str(source["problem"])
    skipped: dict[str, int] = source["skipped"]
    if not skipped:
        return "its list names nothing"
    reason = max(skipped, key=lambda kind: skipped[kind])
    return f"{reason} ({skipped[reason]} of {source['found']})"


@contextmanager
def _retries_unlogged() -> Iterator[None]:
    """The report counts what failed; a line on the terminal for each attempt would drown it."""
    logger = logging.getLogger("stamina")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
