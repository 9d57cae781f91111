"""Hugging Face datasets: rows drawn by seed from the Parquet files that the hub keeps of every public dataset.

The hub converts datasets to Parquet by itself (revision `refs/convert/parquet`), so none of their loading scripts is run. The
files are read in parts through the one client, by row groups in shuffled order and through a shuffled buffer.
"""

import random
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from trivium.schema.fields import opt

if TYPE_CHECKING:
    from trivium.acquire.answers import Receipt
    from trivium.acquire.job import Got, Job
    from trivium.acquire.line import Candidate

ROWS, SEEDED = "rows", True
CONVERTED = "refs/convert/parquet"


@dataclass
class Options:
    """Keys of `kind: hub`."""

    repo: str = opt("", "Dataset, owner/name.")
    config: str = opt("default", "Configuration of the dataset.")
    split: str = opt("train", "Split.")
    revision: str = opt(CONVERTED, "Revision that holds Parquet files; the hub's own conversion needs no loading script.")
    n: int = opt(1000, "Rows.", ge=1)
    buffer: int = opt(1000, "Rows shuffled together; the row groups are shuffled in any case.", ge=1)
    text: list[str] = opt(["text"], "Columns that make the text, joined by blank lines; lists are joined by line breaks.")
    fields: dict[str, str] = opt({}, "Ours: theirs, for the columns title, year, date, url and author.")
    min_chars: int = opt(200, "Rows with a shorter text are left out.", ge=0)
    max_chars: int = opt(50_000, "Longer texts are cut there.", ge=1)
    source_type: str = opt("unknown", "Source type.")
    publisher: str | None = opt(None, "Publisher.")
    licence: str | None = opt(None, "Licence; null takes the one on the dataset's card.")


OURS = ("title", "year", "date", "url", "author")


def problems(options: Options) -> Iterator[str]:
    """What is wrong between the options."""
    parts = options.repo.split("/")
    if not 1 <= len(parts) <= 2 or not all(part and part.strip(".") for part in parts):
        yield f"repo: set to {options.repo!r}; give a dataset as owner/name."
    if not options.text:
        yield "text: set to []; name at least one column."
    for ours in options.fields:
        if ours not in OURS:
            yield f"fields.{ours}: no such column; allowed: {', '.join(OURS)}."


async def fetch(options: Options, job: "Job") -> None:
    """Rows in shuffled order."""
    about = await _about(options, job)

    async def one(candidate: "Candidate") -> "Got | None":
        return _row(candidate, options, about)

    if job.dry_run:
        await job.take(_announced(options, job), one, options.n)
    elif not _complete(options, job):
        await job.take(_rows(options, job), one, options.n)
    else:
        await job.take(_kept(job), one, options.n)


def _complete(options: Options, job: "Job") -> bool:
    """Whether all the rows are here already, of the same settings: the stream then need not be read again."""
    wanted = options.n if job.max_items is None else min(options.n, job.max_items)
    records = job.provenance.of(job.source)
    kept = [r for r in records if r.get("key") == job.key and job.shelf.holds(r["id"], r)]
    return not job.refresh and len(kept) == len(records) == wanted


async def _kept(job: "Job") -> "AsyncIterator[Candidate]":
    from trivium.acquire.line import Candidate

    for record in job.provenance.of(job.source):
        yield Candidate(record["id"])


async def _about(options: Options, job: "Job") -> dict[str, Any]:
    """The dataset's card: its licence. A hub that has none is no obstacle."""
    from trivium.data.rejects import BadRow

    try:
        answer = await job.client.json(f"{_base(job)}/api/datasets/{quote(options.repo)}")
    except BadRow:
        return {}
    card = answer.get("cardData") if isinstance(answer, dict) else None
    return card if isinstance(card, dict) else {}


def _base(job: "Job") -> str:
    return job.endpoints.hub.rstrip("/")


async def _files(options: Options, job: "Job") -> list[str]:
    """Addresses of the Parquet files, at the configured hub."""
    from trivium.data.rejects import BadRow

    where = f"{_base(job)}/api/datasets/{quote(options.repo)}"
    if options.revision == CONVERTED:
        answer = await job.client.json(f"{where}/parquet/{quote(options.config, safe='')}/{quote(options.split, safe='')}")
        urls = [url for url in answer if isinstance(url, str)] if isinstance(answer, list) else []
        found = [_base(job) + urlsplit(url).path for url in urls]
    else:
        answer = await job.client.json(f"{where}/tree/{quote(options.revision, safe='')}", {"recursive": "true"})
        paths = [str(file.get("path", "")) for file in answer if isinstance(file, dict)] if isinstance(answer, list) else []
        root = f"{_base(job)}/datasets/{quote(options.repo)}/resolve/{quote(options.revision, safe='')}"
        found = [f"{root}/{quote(path)}" for path in sorted(paths) if _is_of(path, options)]
    if not found:
        raise BadRow("no Parquet files", f"{options.repo}, config {options.config}, split {options.split}")
    return found


def _is_of(path: str, options: Options) -> bool:
    """Whether a file in a repository belongs to the split; a configuration other than the default is a folder.

    >>> [_is_of(p, Options(split="train")) for p in ("data/train-0.parquet", "data/test-0.parquet", "train.csv")]
    [True, False, False]
    """
    folders = path.split("/")[:-1]
    named = options.split in path.replace("/", "-").replace(".", "-").split("-")
    return path.endswith(".parquet") and named and (options.config == "default" or options.config in folders)


async def _announced(options: Options, job: "Job") -> "AsyncIterator[Candidate]":
    """What the files' own footers say of their rows and sizes."""
    from trivium.acquire.line import Candidate

    tables = [table for _, _, table in await _tables(options, job)]
    rows = sum(table.num_rows for table in tables)
    size = sum(_packed_size(table) for table in tables)
    for number in range(rows):
        yield Candidate(str(number), of=rows, bytes=round(size / max(1, rows)))


async def _tables(options: Options, job: "Job") -> list[tuple[str, Any, Any]]:
    """Address, file and footer of each file that can be read; the others are counted."""
    import asyncio

    from trivium.data.rejects import BadRow

    found = []
    for url in await _files(options, job):
        try:
            file = await _open(url, job)
            found.append((url, file, await asyncio.to_thread(_footer, file)))
        except BadRow as problem:
            job.rejects.add(f"{job.source}/{url}", None, problem)
    return found


def _footer(file: Any) -> Any:
    import pyarrow  # type: ignore[import-untyped]
    import pyarrow.parquet  # type: ignore[import-untyped]

    from trivium.data.rejects import BadRow

    try:
        return pyarrow.parquet.ParquetFile(file).metadata
    except pyarrow.ArrowException as error:
        raise BadRow("unreadable Parquet file", " ".join(str(error).split())[:160]) from None


def _packed_size(table: Any) -> int:
    return sum(int(table.row_group(i).total_byte_size) for i in range(table.num_row_groups))


async def _open(url: str, job: "Job") -> Any:
    import asyncio

    from trivium.acquire.ranges import RemoteFile
    from trivium.data.rejects import BadRow

    size = await job.client.size(url)
    if size is None:
        raise BadRow("unknown size", f"{url}: the server does not tell how large it is")
    return RemoteFile(job.client, url, size, asyncio.get_running_loop())


async def _rows(options: Options, job: "Job") -> "AsyncIterator[Candidate]":
    """All rows, shuffled by the seed: the row groups of all files, then the rows within a buffer."""
    import asyncio

    rng = random.Random(job.seed)
    tables = await _tables(options, job)
    groups = [(url, file, group) for url, file, table in tables for group in range(table.num_row_groups)]
    rng.shuffle(groups)
    total = sum(table.num_rows for _, _, table in tables)
    held: list[Candidate] = []
    for url, file, group in groups:
        for candidate in await asyncio.to_thread(_of_group, file, url, group, total):
            if len(held) < options.buffer:
                held.append(candidate)
                continue
            place = rng.randrange(options.buffer)
            chosen, held[place] = held[place], candidate
            yield chosen
    rng.shuffle(held)
    for candidate in held:
        yield candidate


def _of_group(file: Any, url: str, group: int, total: int) -> "list[Candidate]":
    import pyarrow
    import pyarrow.parquet

    from trivium.acquire.line import Candidate
    from trivium.data.rejects import BadRow

    try:
        file.seek(0)
        rows = pyarrow.parquet.ParquetFile(file, pre_buffer=True).read_row_group(group).to_pylist()
    except pyarrow.ArrowException as error:
        raise BadRow("unreadable Parquet file", f"{url}: {' '.join(str(error).split())[:160]}") from None
    name = "/".join(urlsplit(url).path.removesuffix(".parquet").split("/")[-3:])
    return [Candidate(f"{name}/{group}/{i}", {"row": row, "url": url}, of=total) for i, row in enumerate(rows)]


def _row(candidate: "Candidate", options: Options, card: Mapping[str, Any]) -> "Got":
    from trivium.acquire.job import Got
    from trivium.data.rejects import BadRow

    row: Mapping[str, Any] = candidate.about["row"]
    missing = [name for name in (*options.text, *options.fields.values()) if name not in row]
    if missing:
        raise BadRow("missing column", f"{missing[0]}; the dataset has {', '.join(sorted(row))}")
    text = "\n\n".join(part for name in options.text if (part := _plain(row[name])))[: options.max_chars]
    if len(text) < max(1, options.min_chars):
        raise BadRow("too short", f"{len(text)} characters, min_chars is {options.min_chars}")
    about = {
        "text": text,
        **{ours: row[theirs] for ours, theirs in options.fields.items()},
        "source_type": options.source_type,
        "publisher": options.publisher,
        "dataset": options.repo,
    }
    licence = options.licence or _plain(card.get("license")).replace("\n", ", ") or "not stated"
    return Got(_receipt(candidate, row), licence, about)


def _receipt(candidate: "Candidate", row: Mapping[str, Any]) -> "Receipt":
    """Of a row: the hash is that of the whole row as JSON."""
    from trivium.acquire.answers import Receipt
    from trivium.acquire.ledger import line_of, sha256

    data = line_of(row)
    return Receipt(candidate.about["url"], 200, sha256(data), len(data))


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return "\n".join(map(_plain, value)) if isinstance(value, list) else str(value).replace("\0", " ").strip()
