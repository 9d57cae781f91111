"""Works: books and articles of a folder, each with what is known of it and its lines as a stream."""

import datetime
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from trivium.data import sources, textfile
from trivium.data.catalogue import Catalogue, catalogue
from trivium.data.library.dated import day_of
from trivium.data.library.language import looks_english, says_english
from trivium.data.records import COLUMNS, as_text, plain, year_of
from trivium.data.rejects import BadRow, Rejects, place
from trivium.data.years import stated_year
from trivium.errors import DataError
from trivium.schema import DatasetConfig

HEAD = 1 << 15
"""Characters at a work's beginning by which its language is told, and its year where nothing else states it."""

_OURS = ("text", "title", "year", "source_type", "document")
_AUTHOR, _LANGUAGE = ("author", "authors", "creator"), ("language", "lang", "languages")


@dataclass
class Work:
    """A work. `lines` keep their ends and can be read once.

    `document` is the group that is never split between training and held-out data. `day` is the day of publication where
    it is known; `year` is negative before our era.
    """

    id: str
    lines: Iterable[str]
    title: str | None = None
    author: str | None = None
    year: int | None = None
    day: datetime.date | None = None
    language: str | None = None
    source_type: str = "unknown"
    origin: str = ""
    document: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.document = self.document or self.id


def read(config: DatasetConfig, rejects: Rejects) -> Iterator[Work]:
    """The usable works of `dataset.path` in a fixed order, one at a time; what is not usable is counted in `rejects`.

    A .txt file is a work, described by its sidecar or catalogue; a row with a text of a .jsonl or .parquet file is one.
    Raises `DataError` when there is nothing to read, or when nothing that was read can be used.
    """
    root = Path(str(config.path)).expanduser()
    found = sources.files(root, rejects)
    about, count = catalogue(root, found, rejects), 0
    reader = _Reader(config, rejects)
    for path in found:
        if path not in about.files:
            for work in reader.of_file(path, sources.name_of(path, root), about):
                count += 1
                yield work
    if not count:
        first = f" The first: {rejects.first()}." if rejects.count else ""
        raise DataError(f"dataset.path: no work in {root} can be used; {rejects.count} rows or files were rejected.{first}")


class _Reader:
    def __init__(self, config: DatasetConfig, rejects: Rejects) -> None:
        self._config, self._rejects = config, rejects
        aliases = {**COLUMNS, **{ours: (theirs,) for ours, theirs in config.fields.items()}}
        self._names = {ours: aliases[ours] for ours in _OURS} | {
            "author": (config.fields["author"],) if "author" in config.fields else _AUTHOR,
            "language": (config.fields["language"],) if "language" in config.fields else _LANGUAGE,
        }

    def of_file(self, path: Path, name: str, about: Catalogue) -> Iterator[Work]:
        try:
            if path.suffix.lower() == ".txt":
                yield from self._usable(lambda: self._of_text(path, name, about), name, None)
                return
            for line, row in sources.rows_of(path, name, self._rejects):
                yield from self._usable(self._row(row, name, line), name, line)
        except BadRow as problem:
            self._rejects.add(name, None, problem)
        except OSError as error:
            self._rejects.add(name, None, BadRow("unreadable file", error.strerror or str(error)))

    def _row(self, row: Mapping[str, Any], name: str, line: int) -> Callable[[], Work]:
        return lambda: self._of_row(row, name, line)

    def _usable(self, make: Callable[[], Work], name: str, line: int | None) -> Iterator[Work]:
        """The work, unless it is rejected: at once, or by its first lines."""
        try:
            work = make()
            self._look(work)
        except BadRow as problem:
            self._rejects.add(name, line, problem)
            return
        yield work

    def _of_text(self, path: Path, name: str, about: Catalogue) -> Work:
        encoding = textfile.encoding_of(path)
        if encoding in textfile.FALLBACKS:
            self._rejects.note(f"text file that is not UTF-8, read as {encoding}", name)
        return self._work(name, textfile.body(textfile.lines(path, encoding)), about.row(path, name, self._rejects), name)

    def _of_row(self, row: Mapping[str, Any], name: str, line: int) -> Work:
        text = self._value(row, "text")
        if text is None:
            raise BadRow("no text", "a work needs a column text (or body, content); dataset.fields names your own")
        stream = io.StringIO(plain(text))
        lines = iter(lambda: stream.readline(textfile.LINE), "")
        rest = {key: value for key, value in row.items() if key not in self._names["text"]}
        return self._work(place(name, line), lines, rest, name)

    def _value(self, row: Mapping[str, Any], ours: str) -> Any:
        return next((row[name] for name in self._names[ours] if row.get(name) is not None), None)

    def _work(self, id: str, lines: Iterable[str], row: Mapping[str, Any], origin: str) -> Work:
        date = self._value(row, "year")
        used = {name for names in self._names.values() for name in names}
        return Work(
            id=id,
            lines=lines,
            title=as_text(self._value(row, "title")),
            author=as_text(_first(self._value(row, "author"))),
            year=year_of(date, id, self._rejects),
            day=_day(row, self._names["year"]),
            language=as_text(_first(self._value(row, "language"))),
            source_type=as_text(self._value(row, "source_type")) or self._config.source_type or "unknown",
            origin=origin,
            document=as_text(self._value(row, "document")) or id,
            metadata={key: value for key, value in row.items() if key not in used and value is not None},
        )

    def _look(self, work: Work) -> None:
        """Read a work's beginning, which tells the language and sometimes the year, and put it back."""
        english = self._config.library.language == "en"
        if english and work.language is not None and not says_english(work.language):
            raise BadRow("not English", f"its language is {work.language[:40]!r} (dataset.library.language)")
        lines = iter(work.lines)
        head = _head(lines)
        text = "".join(head)
        if not text.strip():
            raise BadRow("no text", "there is nothing but white space in it")
        if "\0" in text:
            raise BadRow("binary text", "it holds NUL characters")
        if english and not looks_english(text):
            raise BadRow("not English", "too few of its words are English function words (dataset.library.language)")
        if work.year is None and (year := stated_year(text)) is not None:
            self._rejects.note("year taken from the text's own imprint", work.id)
            work.year = year
        work.lines = chain(head, lines)


def _head(lines: Iterator[str]) -> list[str]:
    head: list[str] = []
    length = 0
    for line in lines:
        head.append(line)
        length += len(line) if line.strip() else 0
        if length >= HEAD:
            break
    return head


def _first(value: Any) -> Any:
    """A value, or the values of a list in one text."""
    return ", ".join(str(item) for item in value) if isinstance(value, list) else value


def _day(row: Mapping[str, Any], names: Iterable[str]) -> datetime.date | None:
    """The day of publication where a column states one; columns with years do not."""
    for name in names:
        text = str(row.get(name) or "")[:10]
        if len(text) == len("YYYY-MM-DD"):
            try:
                return day_of(text)
            except ValueError:
                continue
    return None
