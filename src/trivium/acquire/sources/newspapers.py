"""Chronicling America, newspaper pages at the Library of Congress, by its JSON API: search, page record, recognised text."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from trivium.schema.fields import opt

if TYPE_CHECKING:
    from trivium.acquire.job import Got, Job
    from trivium.acquire.line import Candidate

ROWS, SEEDED = "rows", False
COLLECTION = "collections/chronicling-america"
PAGE = 100
MAIN = ("loc.gov", "www.loc.gov")
RIGHTS = "public domain or no known restrictions (Chronicling America)"
_DATE = re.compile(r"\d{4}(-\d\d-\d\d)?")


@dataclass
class Options:
    """Keys of `kind: newspapers`."""

    n: int = opt(100, "Pages.", ge=1)
    start: str = opt("1850", "First day (YYYY-MM-DD) or year.")
    end: str = opt("1920", "Last day (YYYY-MM-DD) or year.")
    query: str = opt("", "Words to look for.")
    state: str = opt("", "State of the paper, as the library writes it.")
    language: str | None = opt("en", "Language that the pages are checked for; null for no check.")
    min_chars: int = opt(200, "Shorter pages are left out.", ge=0)
    max_chars: int = opt(20_000, "Longer pages are cut there.", ge=1)
    source_type: str = opt("newspaper", "Source type.")
    licence: str = opt(RIGHTS, "Licence of pages whose record names none.")


def problems(options: Options) -> Iterator[str]:
    """What is wrong between the options."""
    for name, value in (("start", options.start), ("end", options.end)):
        if not _DATE.fullmatch(value):
            yield f"{name}: set to {value!r}; allowed: a day (YYYY-MM-DD) or a year, in quotes."
    if options.start[:4] > options.end[:4]:
        yield f"start: set to {options.start}, after end={options.end}; no page is from then."
    if options.min_chars > options.max_chars:
        yield f"min_chars: set to {options.min_chars}, above max_chars={options.max_chars}; no page is as long."


async def fetch(options: Options, job: "Job") -> None:
    """The first pages of the search."""

    async def one(candidate: "Candidate") -> "Got | None":
        return await _page(candidate, options, job)

    async def measure(candidate: "Candidate") -> int | None:
        return await job.client.size(await _text_place(candidate, job))

    await job.take(_search(options, job), one, options.n, measure)


async def _search(options: Options, job: "Job") -> "AsyncIterator[Candidate]":
    from trivium.acquire.line import Candidate
    from trivium.data.rejects import BadRow

    base, number = job.endpoints.loc.rstrip("/"), 0
    params: dict[str, Any] = {"fo": "json", "c": PAGE, "dates": f"{options.start}/{options.end}", "dl": "page"}
    params |= {k: v for k, v in (("q", options.query), ("location_state", options.state.lower())) if v}
    while True:
        number += 1
        answer = await job.client.json(f"{base}/{COLLECTION}/", {**params, "sp": number})
        found = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(found, list):
            raise BadRow("unknown answer", f"the search at {base} gave no list of pages")
        pages = answer.get("pagination") or {}
        total = pages.get("of") if isinstance(pages.get("of"), int) else None
        for about in found:
            if isinstance(about, dict) and isinstance(about.get("id"), str):
                yield Candidate(about["id"], about, of=total)
        if not found or not pages.get("next"):
            return


async def _page(candidate: "Candidate", options: Options, job: "Job") -> "Got | None":
    """A page with a text. Raises `BadRow` where there is none, or a bad one."""
    from trivium.acquire.books import check_words
    from trivium.acquire.job import Got
    from trivium.data.rejects import BadRow
    from trivium.data.years import parse_year

    place = await _text_place(candidate, job)
    answer = await job.client.get(place, kinds=("application/json", "text/plain", "text/json"))
    text = _clean(_text_in(answer.body))[: options.max_chars]
    if len(text) < max(1, options.min_chars):
        raise BadRow("too short", f"{len(text)} characters, min_chars is {options.min_chars}")
    check_words(text, options.language)
    about = candidate.about
    date = str(_one(about.get("date")) or "")
    year = parse_year(date)
    if year is None:
        raise BadRow("date unknown", f"{candidate.id} has none")
    if not int(options.start[:4]) <= year <= int(options.end[:4]):
        raise BadRow("outside the dates asked for", date)
    row = {
        "text": text,
        "title": _one(about.get("title")) or _one(about.get("partof_title")),
        "year": year,
        "date": date,
        "source_type": options.source_type,
        "publisher": "Chronicling America",
        "newspaper": _one(about.get("partof_title")),
        "place": _one(about.get("location_state")),
        "url": candidate.id,
    }
    rights = _one(about.get("rights_advisory")) or _one(about.get("rights"))
    return Got(answer.receipt, str(rights or options.licence), row)


async def _text_place(candidate: "Candidate", job: "Job") -> str:
    """Where a page's text lies, by the page's record."""
    from trivium.data.rejects import BadRow

    record = await job.client.json(_own(candidate.id, job.endpoints.loc), {**_query(candidate.id), "fo": "json"})
    parts = [record.get(part) for part in ("page", "resource")] if isinstance(record, dict) else []
    place = next((found for part in (*parts, record) if (found := _find(part, ("fulltext_service", "fulltext_file")))), None)
    if place is None:
        raise BadRow("no full text", f"{candidate.id} names none")
    return _own(place, job.endpoints.loc)


def _own(address: str, base: str) -> str:
    """An address on the library's main host, moved to the configured one; others, such as its text server's, stay."""
    from trivium.acquire.problems import absolute

    whole = absolute(address, base)
    parts = urlsplit(whole)
    return base.rstrip("/") + urlunsplit(("", "", parts.path, parts.query, "")) if parts.hostname in MAIN else whole


def _query(address: str) -> dict[str, str]:
    """The parameters of a page's address: its number within the issue among them."""
    return dict(parse_qsl(urlsplit(address).query))


def _find(value: Any, names: tuple[str, ...]) -> str | None:
    """The first address under one of the names, the better name first, anywhere in a record."""
    for name in names:
        found = _first(value, name)
        if found is not None:
            return found
    return None


def _first(value: Any, name: str, depth: int = 12) -> str | None:
    if depth == 0:
        return None
    if isinstance(value, Mapping):
        if isinstance(value.get(name), str):
            return str(value[name])
        value = list(value.values())
    if isinstance(value, list):
        return next((found for item in value if (found := _first(item, name, depth - 1)) is not None), None)
    return None


def _text_in(body: bytes) -> str:
    """The text of an answer: plain, or JSON with it under `full_text`."""
    import orjson

    try:
        return _first(orjson.loads(body), "full_text") or ""
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")


def _clean(text: str) -> str:
    """Lines without white space around them; words that the column's edge divides are joined."""
    joined = re.sub(r"(?<=[a-z])-\n\s*(?=[a-z])", "", text.replace("\0", " ").replace("\r\n", "\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(" ".join(line.split()) for line in joined.splitlines())).strip()


def _one(value: Any) -> str | None:
    values = value if isinstance(value, list) else [value]
    return next((str(item).strip() for item in values if item not in (None, "")), None)
