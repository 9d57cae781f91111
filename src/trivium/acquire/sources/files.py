"""Local files: a folder's texts and rows, taken over with their metadata and a record of where each comes from."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.schema.fields import opt

if TYPE_CHECKING:
    from trivium.acquire.job import Got, Job
    from trivium.acquire.line import Candidate
    from trivium.data.catalogue import Catalogue

ROWS, SEEDED = "catalogue", False


@dataclass
class Options:
    """Keys of `kind: files`."""

    path: str = opt("", "Folder or file of .txt, .jsonl or .parquet.")
    n: int | None = opt(None, "Files at most; null takes all.", ge=1)
    language: str | None = opt(None, "Language that the .txt files are checked for; null for no check.")
    min_chars: int = opt(1, "Shorter .txt files are left out.", ge=0)
    source_type: str | None = opt(None, "Source type of .txt files whose metadata names none.")
    publisher: str | None = opt(None, "Publisher of .txt files whose metadata names none.")
    licence: str = opt("not stated", "Licence of files whose metadata names none.")


def problems(options: Options) -> Iterator[str]:
    """What is wrong with the path."""
    if not options.path:
        yield "path: not set; give a folder or file of .txt, .jsonl or .parquet."
    elif not Path(options.path).expanduser().exists():
        yield f"path: {options.path} does not exist; give a folder or file of .txt, .jsonl or .parquet."


async def fetch(options: Options, job: "Job") -> None:
    """Every file of a known kind, in order of name; links that lead out of the folder are not followed."""
    from trivium.data.catalogue import catalogue
    from trivium.data.rejects import BadRow
    from trivium.data.sources import files
    from trivium.errors import DataError

    root = Path(options.path).expanduser()
    try:
        found = files(root, job.rejects)
    except DataError as error:
        raise BadRow("nothing to read", str(error).removeprefix("dataset.path: ")) from None
    about = catalogue(root, found, job.rejects)

    async def one(candidate: "Candidate") -> "Got | None":
        import asyncio

        return await asyncio.to_thread(_taken, candidate, options, about, root, job)

    await job.take(_listed(root, [path for path in found if path not in about.files]), one, options.n)


async def _listed(root: Path, found: list[Path]) -> "AsyncIterator[Candidate]":
    from trivium.acquire.line import Candidate
    from trivium.data.sources import name_of

    for path in found:
        yield Candidate(name_of(path, root), {"path": path}, of=len(found), bytes=path.stat().st_size)


def _taken(candidate: "Candidate", options: Options, about: "Catalogue", root: Path, job: "Job") -> "Got":
    from trivium.acquire.answers import Receipt
    from trivium.acquire.books import check_book, read_book
    from trivium.acquire.job import Got
    from trivium.artifact import file_hash
    from trivium.data.rejects import BadRow

    path: Path = candidate.about["path"]
    try:
        receipt = Receipt(path.resolve().as_uri(), 200, file_hash(path), path.stat().st_size)
        if path.suffix.lower() != ".txt":
            return Got(receipt, options.licence, copy=path)
        book = read_book(path)
    except OSError as error:
        raise BadRow("unreadable file", error.strerror or str(error)) from None
    check_book(book, options.language, options.min_chars)
    defaults = {"title": book.head.get("title"), "author": book.head.get("author"), "language": book.head.get("language")}
    row: dict[str, Any] = {**defaults, "source_type": options.source_type, "publisher": options.publisher}
    row |= about.row(path, candidate.id, job.rejects)
    licence = row.pop("licence", None) or options.licence
    return Got(receipt, str(licence), {**row, "url": row.get("url")}, book.text)
