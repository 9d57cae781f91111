"""Works of a folder: what is known of each, and every kind of bad book read or left out with its reason."""

import datetime
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from trivium.data.library import works
from trivium.data.library.works import Work
from trivium.data.rejects import Rejects
from trivium.errors import DataError
from trivium.schema import DatasetConfig

ENGLISH = "There was once a town by the sea, and they who lived in it had never seen the other shore of that water.\n"
FRENCH = "Il y avait une fois une ville au bord de la mer, et ceux qui y vivaient n'avaient jamais vu l'autre rive.\n"


def rows(path: Path, *values: dict[str, Any]) -> None:
    path.write_bytes(b"".join(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE) for value in values))


def read(path: Path, **settings: Any) -> tuple[list[tuple[Work, str]], Rejects]:
    config = DatasetConfig(kind="library", generator=None, path=str(path), **settings)
    rejects = Rejects()
    return [(work, "".join(work.lines)) for work in works.read(config, rejects)], rejects


def test_a_file_is_a_work_described_by_its_catalogue_and_sidecar(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(ENGLISH * 9)
    (tmp_path / "b.txt").write_text(ENGLISH * 9)
    rows(tmp_path / "books.jsonl", {"file": "a.txt", "title": "A Town", "author": "M. Lind", "year": 1861, "licence": "public"})
    (tmp_path / "b.json").write_text('{"title": "Another", "published": "1862-03-04", "language": ["English", "Latin"]}')
    ((a, text), (b, _)), rejects = read(tmp_path)
    assert (a.id, a.title, a.author, a.year, a.origin) == ("a.txt", "A Town", "M. Lind", 1861, "a.txt")
    assert a.metadata == {"licence": "public"}
    assert (b.year, b.day, b.language) == (1862, datetime.date(1862, 3, 4), "English, Latin")
    assert text == ENGLISH * 9 and not rejects.count


def test_rows_are_works_with_ids_of_their_own_and_groups_as_stated(tmp_path: Path) -> None:
    rows(tmp_path / "w.jsonl", *[{"body": ENGLISH, "doc_id": "x"}] * 2, {"title": "empty"}, {"body": " "})
    found, rejects = read(tmp_path)
    assert [(work.id, work.document) for work, _ in found] == [("w.jsonl:1", "x"), ("w.jsonl:2", "x")]
    assert rejects.reasons == Counter({"no text": 2})


def test_own_columns_are_named(tmp_path: Path) -> None:
    rows(tmp_path / "w.jsonl", {"words": ENGLISH, "writer": "M. Lind", "when": "circa 1700"})
    ((work, _),), _ = read(tmp_path, fields={"text": "words", "author": "writer", "year": "when"})
    assert (work.author, work.year, work.metadata) == ("M. Lind", 1700, {})


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty file"), (b"\n \n", "no text"), (b"a\0b" * 99, "binary file"), (FRENCH.encode() * 20, "not English")],
)
def test_a_book_that_cannot_be_used_is_left_out_with_its_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "bad.txt").write_bytes(content)
    (tmp_path / "good.txt").write_text(ENGLISH * 9)
    found, rejects = read(tmp_path)
    assert [work.id for work, _ in found] == ["good.txt"]
    assert rejects.reasons == Counter({reason: 1})


def test_any_language_may_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text(FRENCH * 20)
    config = DatasetConfig(kind="library", generator=None, path=str(tmp_path))
    config.library.language = "any"
    assert [work.id for work in works.read(config, Rejects())] == ["f.txt"]


def test_a_stated_language_is_believed_when_it_is_not_english(tmp_path: Path) -> None:
    rows(tmp_path / "w.jsonl", {"text": ENGLISH * 9, "language": "fr"}, {"text": ENGLISH * 9, "language": "en-GB"})
    found, rejects = read(tmp_path)
    assert [work.id for work, _ in found] == ["w.jsonl:2"]
    assert rejects.reasons == Counter({"not English": 1})


def test_latin_1_is_read_and_the_frame_of_project_gutenberg_left_out(tmp_path: Path) -> None:
    marker = "*** {} OF THIS PROJECT GUTENBERG EBOOK CHESS ***\r\n"
    frame = f"Title: Chess\r\n{marker.format('START')}{{}}{marker.format('END')}x"
    (tmp_path / "c.txt").write_bytes(frame.format("The café was there.\r\n" * 30).encode("latin-1"))
    ((_, text),), rejects = read(tmp_path)
    assert text == "The café was there.\n" * 30
    assert "text file that is not UTF-8, read as cp1252" in rejects.notes


def test_the_year_is_the_metadatas_else_what_the_text_states_else_unknown(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Copyright, 1911, by the author.\n\n" + ENGLISH * 9)
    (tmp_path / "b.txt").write_text("Copyright, 1911, by the author.\n\n" + ENGLISH * 9)
    (tmp_path / "b.json").write_text('{"year": 1866}')
    (tmp_path / "c.txt").write_text(ENGLISH * 9)
    found, _ = read(tmp_path)
    assert [work.year for work, _ in found] == [1911, 1866, None]


def test_a_long_book_of_one_line_streams(tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text(ENGLISH.strip() * 300_000)
    assert (tmp_path / "long.txt").stat().st_size > 30_000_000
    config = DatasetConfig(kind="library", generator=None, path=str(tmp_path))
    tracemalloc.start()
    (length,) = (sum(len(line) for line in work.lines) for work in works.read(config, Rejects()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert length == len(ENGLISH.strip()) * 300_000
    assert peak < 8_000_000


def test_a_folder_without_a_usable_work_is_an_error_that_tells_why(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text(FRENCH * 20)
    with pytest.raises(DataError, match=r"no work.*1 rows or files were rejected.*not English"):
        read(tmp_path)
