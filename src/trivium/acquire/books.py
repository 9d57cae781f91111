"""From the raw bytes of a book to its words, and what its own header says of it."""

import re
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from trivium.data import textfile
from trivium.data.library.language import looks_english, says_english
from trivium.data.rejects import BadRow

PLAIN = ("text/plain", "application/octet-stream")
"""Content types that a text may come with."""

SPANS, SPAN = 3, 5000
"""Passages whose language is looked at, and their length in characters."""

_FIELD = re.compile(r"\s{0,3}(Title|Author|Language|Original publication|Release date):\s*(\S.*)", re.IGNORECASE)
_HEAD_LINES = 200
_PAGE = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype\s+html|html)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Book:
    """The words of a book without what a library put around them; `head` holds the header's fields, in small letters."""

    text: str
    head: dict[str, str] = field(default_factory=dict)


def read_book(path: Path) -> Book:
    """The book in a file of any encoding. Raises `BadRow` for binary files, web pages and files that cannot be read."""
    encoding = textfile.encoding_of(path)
    head = "".join(islice(textfile.lines(path, encoding), _HEAD_LINES))
    if _PAGE.match(head):
        raise BadRow("web page in place of a text", head[:60].strip())
    found = {match[1].lower(): match[2].strip() for line in head.splitlines() if (match := _FIELD.match(line))}
    return Book("".join(textfile.body(textfile.lines(path, encoding))).strip() + "\n", found)


def take_book(path: Path, language: str | None, min_chars: int) -> Book:
    """The book in a fetched file, checked; the file is removed. Raises `BadRow` for one that cannot be taken."""
    try:
        book = read_book(path)
    finally:
        path.unlink(missing_ok=True)
    check_book(book, language, min_chars)
    return book


def check_book(book: Book, language: str | None, min_chars: int) -> None:
    """Raise `BadRow` unless a book is long enough and, where English is wanted, in English."""
    if len(book.text) < min_chars:
        raise BadRow("too short", f"{len(book.text)} characters, min_chars is {min_chars}")
    if "\0" in book.text:
        raise BadRow("binary file", "it holds NUL characters")
    if language is not None:
        check_language(book.head.get("language", ""), language)
        check_words(book.text, language)


def check_language(stated: str, wanted: str) -> None:
    """Raise `BadRow` when a record states another language than the one wanted; one that states none passes."""
    fits = says_english(stated) if says_english(wanted) else stated.strip().lower() == wanted.lower()
    if stated.strip() and not fits:
        raise BadRow("in another language", f"its record says {stated}, wanted is {wanted}")


def check_words(text: str, wanted: str | None) -> None:
    """Raise `BadRow` when English is wanted and passages from the beginning, the middle and the end are not."""
    if wanted is None or not says_english(wanted):
        return
    step = max(0, len(text) - SPAN) // (SPANS - 1)
    starts = dict.fromkeys(i * step for i in range(SPANS))
    if not looks_english(" ".join(text[start : start + SPAN] for start in starts)):
        raise BadRow("not in English", text[:60].strip())
