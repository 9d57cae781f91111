"""Project Gutenberg's RDF records, parsed without entities or addresses from within being followed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from trivium.data.rejects import BadRow
from trivium.data.years import parse_year

_DC, _PG = "{http://purl.org/dc/terms/}", "{http://www.gutenberg.org/2009/pgterms/}"
_RDF, _REL = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}", "{http://id.loc.gov/vocabulary/relators/}"
_IMPRINTS = ("marc906", "marc260", "marc264", "marc534")
"""Fields of the original edition."""

_PUBLISHED = re.compile(r"\b(?:published|printed|written)\s+(?:\w+\s+){0,3}?in\s+(1[4-9]\d\d|20\d\d)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Person:
    """Somebody who wrote or translated, under all names the record has."""

    names: tuple[str, ...]
    died: int | None


@dataclass(frozen=True)
class Work:
    """What a record says: `titles` are all it knows the work by, the first its own; `published` is the year of the original
    edition, `summary_year` one that the summary states.
    """

    id: str
    titles: tuple[str, ...]
    authors: tuple[Person, ...]
    translators: tuple[Person, ...]
    languages: tuple[str, ...]
    subjects: tuple[str, ...]
    issued: str | None
    rights: str | None
    published: int | None
    summary_year: int | None


def parse_rdf(data: bytes) -> Work:
    """The record of one book. Raises `BadRow` when it is none."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root = fromstring(data)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise BadRow("unreadable RDF", f"{type(error).__name__}: {error}"[:160]) from None
    book = root.find(f"{_PG}ebook")
    titles = [_joined(t) for tag in ("title", "alternative") for t in _texts(book, f"{_DC}{tag}")] if book is not None else []
    if book is None or not titles:
        raise BadRow("unreadable RDF", "it describes no book with a title")
    imprints = [year for name in _IMPRINTS for value in _texts(book, f"{_PG}{name}") if (year := parse_year(value))]
    summaries = [int(found[1]) for value in _texts(book, f"{_PG}marc520") if (found := _PUBLISHED.search(value))]
    return Work(
        id=str(book.get(f"{_RDF}about", "")).rpartition("/")[2],
        titles=tuple(titles),
        authors=tuple(_people(root, book, f"{_DC}creator")),
        translators=tuple(_people(root, book, f"{_REL}trl")),
        languages=tuple(_values(book, f"{_DC}language")),
        subjects=tuple(_values(book, f"{_DC}subject")),
        issued=_text(book, f"{_DC}issued"),
        rights=_text(book, f"{_DC}rights"),
        published=imprints[0] if imprints else None,
        summary_year=summaries[0] if summaries else None,
    )


def _joined(title: str) -> str:
    """A title of several lines: the lines after the first are its subtitle."""
    first, *rest = [" ".join(line.split()) for line in title.splitlines() if line.strip()]
    return f"{first}: {' '.join(rest)}" if rest else first


def _text(book: Element, tag: str) -> str | None:
    return next(iter(_texts(book, tag)), None)


def _texts(book: Element, tag: str) -> list[str]:
    return [element.text.strip() for element in book.findall(tag) if element.text and element.text.strip()]


def _values(book: Element, tag: str) -> Iterator[str]:
    """Values within descriptions, their vocabulary left aside."""
    for element in book.findall(tag):
        yield from (value.text.strip() for value in element.iter(f"{_RDF}value") if value.text)


def _people(root: Element, book: Element, tag: str) -> Iterator[Person]:
    """People in one role; who has another role, too, may be described there and only be named here."""
    known = {agent.get(f"{_RDF}about"): agent for agent in root.iter(f"{_PG}agent")}
    for element in book.findall(tag):
        named = known.get(element.get(f"{_RDF}resource", ""))
        for agent in element.findall(f"{_PG}agent") if named is None else [named]:
            names = [*_texts(agent, f"{_PG}name"), *_texts(agent, f"{_PG}alias")]
            yield Person(tuple(names), _year(agent, f"{_PG}deathdate"))


def _year(agent: Element, tag: str) -> int | None:
    value: Any = _text(agent, tag)
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
