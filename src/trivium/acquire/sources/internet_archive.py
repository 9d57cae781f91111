"""Internet Archive: texts by subject, year and language, each in the full text that the archive made of its scans."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from trivium.schema.fields import opt

if TYPE_CHECKING:
    from trivium.acquire.job import Got, Job
    from trivium.acquire.line import Candidate

ROWS, SEEDED = "catalogue", False
PAGE = 100
DEEPEST = 10_000
"""Items as far as which a search can be paged."""

FIELDS = ("identifier", "title", "creator", "year", "date", "language", "subject")
FULL_TEXT = "_djvu.txt"


@dataclass
class Options:
    """Keys of `kind: internet_archive`."""

    n: int = opt(100, "Texts; shared out evenly over the subjects.", ge=1)
    subjects: list[str] = opt([], "Subjects; empty for any.")
    query: str = opt("", "A further condition in the archive's search syntax.")
    min_year: int | None = opt(None, "First year of publication.")
    max_year: int | None = opt(1923, "Last year of publication.")
    languages: list[str] = opt(["english", "eng"], "Names of the language in the archive's records; any of them.")
    language: str | None = opt("en", "Language that the texts are checked for; null for no check.")
    unknown_date: str = opt("reject", "Texts without a year, where one is asked for.", choices=("reject", "accept"))
    min_chars: int = opt(1000, "Shorter texts are left out.", ge=0)
    source_type: str = opt("book", "Source type.")
    licence: str | None = opt(None, "Licence of texts whose record names none.")


def problems(options: Options) -> Iterator[str]:
    """What is wrong between the options."""
    if options.min_year is not None and options.max_year is not None and options.min_year > options.max_year:
        yield f"min_year: set to {options.min_year}, after max_year={options.max_year}; no text is from then."
    if options.n > DEEPEST * max(1, len(options.subjects)):
        yield f"n: set to {options.n}; the archive's search lists {DEEPEST:,} texts at most; share them out over more subjects."
    if len(options.subjects) > options.n:
        yield f"n: set to {options.n}; allowed: at least one for each of the {len(options.subjects)} subjects."


async def fetch(options: Options, job: "Job") -> None:
    """Each subject's share, the first subjects taking what does not go even."""

    async def one(candidate: "Candidate") -> "Got | None":
        return await _text(candidate, options, job)

    async def measure(candidate: "Candidate") -> int | None:
        file = _full_text(await _metadata(candidate, job))
        return _number(file.get("size")) if file else None

    subjects: list[str | None] = list(options.subjects) or [None]
    share, rest = divmod(options.n, len(subjects))
    for i, subject in enumerate(subjects):
        await job.take(_search(query_of(options, subject), job), one, share + (i < rest), measure)


def query_of(options: Options, subject: str | None) -> str:
    """The search of one subject.

    >>> query_of(Options(min_year=1800, languages=["eng"]), 'The "State"')
    'mediatype:texts AND year:[1800 TO 1923] AND language:("eng") AND subject:"The \\\\"State\\\\""'
    """
    first = "*" if options.min_year is None else f"{options.min_year:04d}"
    last = "*" if options.max_year is None else f"{options.max_year:04d}"
    parts = ["mediatype:texts"]
    if (first, last) != ("*", "*"):
        parts.append(f"year:[{first} TO {last}]")
    if options.languages:
        parts.append(f"language:({' OR '.join(map(_quoted, options.languages))})")
    if subject is not None:
        parts.append(f"subject:{_quoted(subject)}")
    return " AND ".join([*parts, *([f"({options.query})"] if options.query else [])])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


async def _search(query: str, job: "Job") -> "AsyncIterator[Candidate]":
    from trivium.acquire.line import Candidate
    from trivium.data.rejects import BadRow

    base, page, seen = job.endpoints.archive.rstrip("/"), 0, 0
    while True:
        page += 1
        params = {"q": query, "fl[]": list(FIELDS), "sort[]": "downloads desc", "rows": PAGE, "page": page, "output": "json"}
        answer = await job.client.json(f"{base}/advancedsearch.php", params)
        try:
            total, found = int(answer["response"]["numFound"]), list(answer["response"]["docs"])
        except (KeyError, TypeError, ValueError):
            raise BadRow("unknown answer", f"the search at {base} gave no list of items") from None
        for about in found:
            if isinstance(about, dict) and isinstance(about.get("identifier"), str):
                yield Candidate(about["identifier"], about, of=total)
        seen += len(found)
        if not found or seen >= min(total, DEEPEST):
            return


async def _metadata(candidate: "Candidate", job: "Job") -> dict[str, Any]:
    from trivium.data.rejects import BadRow

    url = f"{job.endpoints.archive.rstrip('/')}/metadata/{quote(candidate.id, safe='')}"
    answer = await job.client.json(url)
    if not isinstance(answer, dict) or not isinstance(answer.get("metadata"), dict) or answer.get("is_dark"):
        raise BadRow("item withdrawn", f"{url} describes nothing")
    return answer


def _full_text(answer: dict[str, Any]) -> dict[str, Any] | None:
    files = answer.get("files")
    named = [file for file in files if isinstance(file, dict)] if isinstance(files, list) else []
    return next((file for file in named if str(file.get("name")).endswith(FULL_TEXT)), None)


async def _text(candidate: "Candidate", options: Options, job: "Job") -> "Got | None":
    """A text whose record has a full text of the right date. Raises `BadRow` for any other."""
    from trivium.acquire.books import PLAIN, take_book
    from trivium.acquire.dating import Dated, check_year
    from trivium.acquire.job import Got
    from trivium.data.rejects import BadRow
    from trivium.data.years import parse_year

    answer = await _metadata(candidate, job)
    about = {**candidate.about, **answer["metadata"]}
    file = _full_text(answer)
    if file is None:
        raise BadRow("no full text", f"{candidate.id} has no {FULL_TEXT}")
    years = [year for name in ("date", "year") if (year := parse_year(_first(about.get(name)))) is not None]
    dated = Dated(years[0] if years else None, "record" if years else None)
    check_year(dated, options.min_year, options.max_year, options.unknown_date)
    base = job.endpoints.archive.rstrip("/")
    url = f"{base}/download/{quote(candidate.id, safe='')}/{quote(file['name'])}"
    path = job.scratch(candidate)
    receipt = await job.client.download(url, path, PLAIN, _digest(file), job.known(candidate))
    if receipt is None:
        return None
    book = take_book(path, options.language, options.min_chars)
    row = {
        "title": _first(about.get("title")),
        "author": ", ".join(_all(about.get("creator"))),
        "year": dated.year,
        "year_basis": dated.basis,
        "language": ", ".join(_all(about.get("language"))),
        "subjects": _all(about.get("subject")),
        "source_type": options.source_type,
        "publisher": "Internet Archive",
    }
    licence = _first(about.get("licenseurl")) or _first(about.get("rights")) or _first(about.get("possible-copyright-status"))
    return Got(receipt, str(licence or options.licence or "not stated"), row, book.text)


def _digest(file: dict[str, Any]) -> tuple[str, str] | None:
    found = ((name, file[name]) for name in ("sha1", "md5") if isinstance(file.get(name), str) and file[name])
    return next(found, None)


def _number(value: Any) -> int | None:
    return int(value) if str(value).isdecimal() else None


def _all(value: Any) -> list[str]:
    """A field of one or of many values."""
    return [str(item).strip() for item in (value if isinstance(value, list) else [value]) if item is not None]


def _first(value: Any) -> str | None:
    return next(iter(_all(value)), None)
