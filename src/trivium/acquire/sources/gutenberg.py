"""Project Gutenberg: works by their numbers, checked against their records, and works by subject from the catalogue feed."""

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trivium.acquire import lists
from trivium.schema.fields import opt

if TYPE_CHECKING:
    from trivium.acquire.books import Book
    from trivium.acquire.job import Got, Job
    from trivium.acquire.line import Candidate
    from trivium.acquire.rdf import Work

ROWS, SEEDED = "catalogue", False
FEED = "pg_catalog.csv.gz"
FEED_KINDS = ("application/gzip", "application/x-gzip", "application/octet-stream", "text/csv", "text/plain")
RECORD_KINDS = ("application/rdf+xml", "application/xml", "text/xml", "text/plain", "application/octet-stream")
COLUMNS = ("Text#", "Type", "Language", "Subjects")
GZIP = b"\x1f\x8b"


@dataclass
class Options:
    """Keys of `kind: gutenberg`."""

    works: str | None = opt(None, "List of works: a shipped name or a YAML file.")
    subjects: str | None = opt(None, "List of subject headings: a shipped name or a YAML file.")
    n: int | None = opt(None, "Works of the list at most; null takes all.", ge=1)
    max_per_subject: int = opt(10, "Works of each subject at most.", ge=1)
    language: str = opt("en", "Language of the records and the texts.")
    min_year: int | None = opt(None, "First year of works.")
    max_year: int | None = opt(None, "Last year of works.")
    unknown_date: str = opt("reject", "Works without a date, where a year is asked for.", choices=("reject", "accept"))
    min_chars: int = opt(1000, "Shorter texts are left out.", ge=0)
    source_type: str = opt("book", "Source type of works for which the list names none.")


def problems(options: Options) -> Iterator[str]:
    """What is wrong between the options."""
    if options.works is None and options.subjects is None:
        yield f"works: not set, nor subjects; give one of them a list, for example {lists.shipped()[0]}."
    yield from lists.problem_with("works", options.works)
    yield from lists.problem_with("subjects", options.subjects)
    if options.min_year is not None and options.max_year is not None and options.min_year > options.max_year:
        yield f"min_year: set to {options.min_year}, after max_year={options.max_year}; no work is from then."


async def fetch(options: Options, job: "Job") -> None:
    """The works of the list, then those of each subject."""

    async def one(candidate: "Candidate") -> "Got | None":
        return await _work(candidate, options, job)

    async def measure(candidate: "Candidate") -> int | None:
        return await _size(candidate, job)

    if options.works is not None:
        await job.take(_listed(lists.works(options.works)), one, options.n, measure)
    if options.subjects is not None:
        found = await _by_subject(lists.subjects(options.subjects), options.language, job)
        for numbers in found.values():
            await job.take(_numbered(numbers), one, options.max_per_subject, measure)


async def _listed(works: Iterable[lists.Listed]) -> "AsyncIterator[Candidate]":
    from trivium.acquire.line import Candidate
    from trivium.artifact import key_of

    for work in works:
        yield Candidate(work.id, {"listed": work}, mark=f"-{key_of(work)}")


async def _numbered(numbers: Iterable[str]) -> "AsyncIterator[Candidate]":
    from trivium.acquire.line import Candidate

    for number in numbers:
        yield Candidate(number)


async def _by_subject(subjects: Iterable[str], language: str, job: "Job") -> dict[str, list[str]]:
    """Numbers of the texts in a language under each subject, in ascending order."""
    wanted = {subject.casefold(): subject for subject in subjects}
    found: dict[str, list[str]] = {subject: [] for subject in wanted.values()}
    for row in await _catalogue(job):
        languages = [part.strip() for part in row["Language"].split(";")]
        if row["Type"] == "Text" and languages == [language] and row["Text#"].isdecimal():
            for heading in dict.fromkeys(_headings(row["Subjects"])):
                if heading in wanted:
                    found[wanted[heading]].append(row["Text#"])
    return {subject: sorted(numbers, key=int) for subject, numbers in found.items()}


def _headings(cell: str) -> Iterator[str]:
    """Whole headings and their parts, in small letters.

    >>> list(_headings("Utopias -- Fiction; Chess"))
    ['utopias -- fiction', 'utopias', 'fiction', 'chess', 'chess']
    """
    for heading in cell.casefold().split(";"):
        yield heading.strip()
        yield from (part.strip() for part in heading.split("--"))


async def _catalogue(job: "Job") -> list[dict[str, str]]:
    """The rows of the catalogue feed, which is fetched anew only where it has changed."""
    import orjson

    from trivium.artifact import write_json
    from trivium.data.rejects import BadRow

    url = f"{job.endpoints.gutenberg_catalogue.rstrip('/')}/{FEED}"
    if job.dry_run:
        return _rows((await job.client.get(url, kinds=FEED_KINDS)).body, job.max_bytes)
    path = job.shelf.folder / ".feed" / FEED
    about = path.with_name("about.json")
    known: dict[str, Any] = orjson.loads(about.read_bytes()) if path.is_file() and about.is_file() else {}
    receipt = await job.client.download(url, path, FEED_KINDS, known=known if known.get("url") == url else None)
    try:
        rows = _rows(path.read_bytes(), job.max_bytes)
    except BadRow:
        about.unlink(missing_ok=True)
        raise
    if receipt is not None:
        write_json(about, {"url": url, "etag": receipt.etag, "modified": receipt.modified})
    return rows


def _rows(data: bytes, limit: int) -> list[dict[str, str]]:
    """The rows of a feed, packed or not. Raises `BadRow` where it is none."""
    import csv
    import io

    from trivium.acquire.inflate import Inflater
    from trivium.data.rejects import BadRow

    if data[:2] == GZIP:
        inflate = Inflater("gzip", limit)
        data = b"".join(inflate(data))
        inflate.finish()
    table = csv.DictReader(io.StringIO(data.decode("utf-8", "replace")))
    if not set(COLUMNS) <= set(table.fieldnames or ()):
        raise BadRow("unknown answer", f"{FEED} has not the columns of the catalogue")
    return [{name: str(row[name] or "") for name in COLUMNS} for row in table]


def texts_of(number: str, base: str) -> list[str]:
    """Where the text of a work may lie on a mirror, best first."""
    old = "/".join([base, *(number[:-1] or "0"), number])
    return [f"{base}/cache/epub/{number}/pg{number}.txt", *(f"{old}/{number}{end}.txt" for end in ("-0", "", "-8"))]


async def _size(candidate: "Candidate", job: "Job") -> int | None:
    return await job.client.size(texts_of(candidate.id, job.endpoints.gutenberg.rstrip("/"))[0])


async def _work(candidate: "Candidate", options: Options, job: "Job") -> "Got | None":
    """A work whose record, date, language and length are right. Raises `BadRow` for any other."""
    from trivium.acquire.books import check_language, take_book
    from trivium.acquire.dating import check_year, date_of
    from trivium.acquire.job import Got
    from trivium.acquire.rdf import parse_rdf
    from trivium.data.years import parse_year, stated_year

    number, base = candidate.id, job.endpoints.gutenberg.rstrip("/")
    listed: lists.Listed | None = candidate.about.get("listed")
    record = parse_rdf((await job.client.get(f"{base}/cache/epub/{number}/pg{number}.rdf", kinds=RECORD_KINDS)).body)
    _check_record(record, number, listed)
    check_language(" and ".join(record.languages), options.language)
    stated = [
        ("list", listed.year if listed else None),
        ("record", record.published),
        ("record's summary", record.summary_year),
    ]
    deaths = [person.died for person in (*record.authors, *record.translators)]
    early = date_of(stated, deaths)
    if early.year is not None:
        check_year(early, options.min_year, options.max_year, options.unknown_date)
    path = job.scratch(candidate)
    receipt = await _text(candidate, base, job)
    if receipt is None:
        return None
    book = take_book(path, options.language, options.min_chars)
    stated += [("header", parse_year(book.head.get("original publication"))), ("text", stated_year(book.text))]
    dated = date_of(stated, deaths)
    check_year(dated, options.min_year, options.max_year, options.unknown_date)
    row = {**_row(record, options, listed, book), "year": dated.year, "year_basis": dated.basis}
    return Got(receipt, record.rights or "not stated", row, book.text)


def _check_record(record: "Work", number: str, listed: lists.Listed | None) -> None:
    from trivium.acquire.titles import same_author, same_title
    from trivium.data.rejects import BadRow

    if record.id and record.id != number:
        raise BadRow("record of another work", f"asked for {number}, got {record.id}")
    if listed is None:
        return
    if not any(same_title(listed.titles, title) for title in record.titles):
        raise BadRow("another title", f"{number} is {record.titles[0]!r}, expected was {listed.titles[0]!r}")
    names = [name for person in record.authors for name in person.names]
    if names and not same_author(listed.author, names):
        raise BadRow("another author", f"{number} is by {names[0]}, expected was {listed.author}")


async def _text(candidate: "Candidate", base: str, job: "Job") -> Any:
    from trivium.acquire.books import PLAIN
    from trivium.acquire.problems import Gone

    problem: Gone | None = None
    for url in texts_of(candidate.id, base):
        try:
            return await job.client.download(url, job.scratch(candidate), PLAIN, known=job.known(candidate))
        except Gone as error:
            problem = problem or error
    assert problem is not None
    raise problem


def _row(record: "Work", options: Options, listed: lists.Listed | None, book: "Book") -> dict[str, Any]:
    authors = [_natural(person.names[0]) for person in record.authors if person.names]
    return {
        "title": record.titles[0],
        "author": ", ".join(authors) or book.head.get("author"),
        "translator": ", ".join(_natural(person.names[0]) for person in record.translators if person.names),
        "language": ", ".join(record.languages),
        "subjects": list(record.subjects),
        "source_type": (listed.source_type if listed else None) or options.source_type,
        "publisher": "Project Gutenberg",
        "issued": record.issued,
    }


def _natural(name: str) -> str:
    """`Surname, First (Other)` as it is spoken.

    >>> _natural("Wells, H. G. (Herbert George)")
    'H. G. Wells'
    """
    surname, _, first = re.sub(r"\s*\([^)]*\)", "", name).partition(", ")
    return f"{first} {surname}".strip()
