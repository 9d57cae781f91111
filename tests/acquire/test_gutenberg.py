import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from local import rows
from server import Archive, gutenberg
from worlds import FRENCH, gutenberg_text, prose, rdf

from trivium.acquire.dating import date_of
from trivium.acquire.rdf import parse_rdf
from trivium.acquire.sources.gutenberg import texts_of
from trivium.data.rejects import BadRow
from trivium.errors import DataError

Fetched = Callable[..., dict[str, Any]]
TITLE, AUTHOR = "The Bell of the Harbour", "Keeper, Anna"


@pytest.fixture
def one(archive: Archive, fetched: Fetched, tmp_path: Path) -> Callable[..., str]:
    """Fetch number 12, which is expected to be `title` by `author`; the reason why it is skipped, or the year."""
    gutenberg(archive, {12: (TITLE, AUTHOR, 1901), 13: ("Another", "Else, Somebody", 1850)})

    def run(title: str = TITLE, author: str = "Anna Keeper", year: int | None = None, **options: Any) -> str:
        stated = "" if year is None else f", year: {year}"
        works = tmp_path / "works.yaml"
        entry = f"{{id: 12, title: {title!r}, author: {author}{stated}}}"
        other = "{id: 13, title: Another, author: Somebody Else}"
        works.write_text(f"version: 1\nsource: here\nworks:\n  - {entry}\n  - {other}\n", encoding="utf-8")
        report = fetched({"s": {"kind": "gutenberg", "works": str(works), "max_year": 1920, **options}})
        taken = {row["id"]: row for row in rows(tmp_path / "out" / "texts" / "s" / "catalogue.jsonl")}
        assert "13" in taken
        skipped = "; ".join(report["sources"]["s"]["skipped"])
        return f"{taken['12'].get('year')} {taken['12'].get('year_basis')}" if "12" in taken else skipped

    return run


def text(archive: Archive, body: str, head: str = "Language: English", encoding: str = "utf-8") -> None:
    data = gutenberg_text(TITLE, body, head).decode().encode(encoding)
    archive.put("/pg/cache/epub/12/pg12.txt", data)


def record(archive: Archive, died: int | None = 1901, extra: str = "", language: str = "en") -> None:
    archive.put("/pg/cache/epub/12/pg12.rdf", rdf(12, TITLE, AUTHOR, died, extra, language), "application/rdf+xml")


def test_a_work_is_what_its_record_says(one: Callable[..., str]) -> None:
    assert one() == "1901 last death of its authors, at the latest"
    assert one(title="Bell of the harbour") == "1901 last death of its authors, at the latest"
    assert one(title="Bell") == "another title"
    assert one(author="Jack London") == "another author"


def test_the_year_that_is_stated_comes_first(one: Callable[..., str], archive: Archive) -> None:
    assert one() == "1901 last death of its authors, at the latest"
    text(archive, "Copyright, 1844, by the author.\n\n" + prose(1))
    assert one(min_chars=1001) == "1844 text"
    text(archive, prose(1), "Original publication: London: Harper, 1855")
    assert one(min_chars=1002) == "1855 header"
    record(archive, extra="<pgterms:marc520>A tale. It was first published in 1866 in London.</pgterms:marc520>")
    assert one(min_chars=1003) == "1866 record's summary"
    record(archive, extra="<pgterms:marc906>1877</pgterms:marc906>")
    assert one(min_chars=1004) == "1877 record"
    assert one(min_chars=1004, year=1888) == "1888 list"


def test_an_unknown_date_is_rejected_unless_said_otherwise(one: Callable[..., str], archive: Archive) -> None:
    record(archive, died=None)
    assert one() == "date unknown"
    assert one(unknown_date="accept") == "None None"
    assert one(max_year=None) == "None None"
    assert one(min_year=1700) == "date unknown"


def test_a_young_work_is_left_out_before_its_text_is_fetched(one: Callable[..., str], archive: Archive) -> None:
    record(archive, died=1990)
    assert one() == "too young"
    assert not archive.asked(r"pg12\.txt")


def test_a_translators_life_counts_too() -> None:
    translator = "<marcrel:trl><pgterms:agent><pgterms:name>T</pgterms:name>{}</pgterms:agent></marcrel:trl>"
    known = parse_rdf(rdf(12, TITLE, AUTHOR, 1850, translator.format("<pgterms:deathdate>1946</pgterms:deathdate>")))
    unknown = parse_rdf(rdf(12, TITLE, AUTHOR, 1850, translator.format("")))
    assert date_of([], [p.died for p in (*known.authors, *known.translators)]).year == 1946
    assert date_of([], [p.died for p in (*unknown.authors, *unknown.translators)]).year is None


@pytest.mark.parametrize(
    ("body", "head", "encoding", "reason"),
    [
        (prose(1, words=FRENCH), "", "utf-8", "not in English"),
        (prose(1, words=FRENCH), "Language: English", "utf-8", "not in English"),
        (prose(1), "Language: French", "utf-8", "in another language"),
        ("Short.", "", "utf-8", "too short"),
        (prose(1) + "\0", "", "utf-8", "binary file"),
        ("", "", "utf-8", "too short"),
    ],
)
def test_what_is_no_english_book_is_left_out(
    one: Callable[..., str], archive: Archive, body: str, head: str, encoding: str, reason: str
) -> None:
    text(archive, body, head, encoding)
    assert one() == reason


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8-sig", "utf-16"])
def test_other_encodings_become_utf8(one: Callable[..., str], archive: Archive, tmp_path: Path, encoding: str) -> None:
    text(archive, f"A café.\r\n\r\n{prose(1)}", encoding=encoding)
    assert one().startswith("1901")
    assert (tmp_path / "out" / "texts" / "s" / "12.txt").read_text(encoding="utf-8").startswith("A café.\n\n")


def test_a_text_without_markers_and_one_of_a_single_line_are_read(one: Callable[..., str], archive: Archive) -> None:
    archive.put("/pg/cache/epub/12/pg12.txt", prose(1, 9000).replace("\n", " ").encode())
    assert one().startswith("1901")


def test_a_web_page_called_a_text_is_no_book(one: Callable[..., str], archive: Archive) -> None:
    archive.put("/pg/cache/epub/12/pg12.txt", b"<!DOCTYPE html>\n<html><body>" + prose(1).encode() + b"</body></html>")
    assert one() == "web page in place of a text"


def test_older_places_of_a_text_are_tried(one: Callable[..., str], archive: Archive) -> None:
    archive.files["/pg/1/12/12.txt"] = archive.files.pop("/pg/cache/epub/12/pg12.txt")
    assert one().startswith("1901")
    assert texts_of("2554", "x")[1] == "x/2/5/5/2554/2554-0.txt"
    assert texts_of("7", "x")[1] == "x/0/7/7-0.txt"


def test_another_works_record_is_noticed(one: Callable[..., str], archive: Archive) -> None:
    archive.put("/pg/cache/epub/12/pg12.rdf", rdf(99, TITLE, AUTHOR, 1901), "application/rdf+xml")
    assert one() == "record of another work"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        b"<a/>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        "\ud800".encode("utf-8", "surrogatepass"),
    ],
)
def test_a_bad_record_is_refused(data: bytes) -> None:
    with pytest.raises(BadRow, match="unreadable RDF"):
        parse_rdf(data)


def test_subjects_have_their_quotas(archive: Archive, fetched: Fetched, tmp_path: Path) -> None:
    gutenberg(archive, {n: (f"Book {n}", AUTHOR, 1901) for n in range(10, 22)})
    headings = tmp_path / "headings.yaml"
    headings.write_text("version: 1\nsource: here\nsubjects: [Bells, fiction, Nothing]\n", encoding="utf-8")
    fetched({"s": {"kind": "gutenberg", "subjects": str(headings), "max_per_subject": 3}})
    taken = [row["id"] for row in rows(tmp_path / "out" / "texts" / "s" / "catalogue.jsonl")]
    assert taken == ["11", "13", "15", "10", "12", "14"]  # of the second what the first had not


def test_a_catalogue_that_expands_without_end_is_cut_off(archive: Archive, fetched: Fetched, tmp_path: Path) -> None:
    archive.put("/feeds/pg_catalog.csv.gz", gzip.compress(bytes(64 << 20)), "application/gzip")
    headings = tmp_path / "headings.yaml"
    headings.write_text("version: 1\nsource: here\nsubjects: [Bells]\n", encoding="utf-8")
    with pytest.raises(DataError, match="too large: over 1,048,576 bytes after decompression"):
        fetched({"s": {"kind": "gutenberg", "subjects": str(headings)}})


def test_a_record_is_read_whole() -> None:
    extra = (
        "<dcterms:alternative>Bell Tales</dcterms:alternative><marcrel:trl rdf:resource='2009/agents/7'/>"
        "<marcrel:edt><pgterms:agent rdf:about='2009/agents/7'><pgterms:name>Third, T.</pgterms:name>"
        "<pgterms:deathdate>1930</pgterms:deathdate></pgterms:agent></marcrel:edt>"
        "<pgterms:marc260>London: Harper, 1899</pgterms:marc260>"
    )
    work = parse_rdf(rdf(12, "The Bell\nA Tale\nof the Sea", AUTHOR, 1901, extra))
    assert work.titles == ("The Bell: A Tale of the Sea", "Bell Tales")
    assert [(person.names, person.died) for person in work.translators] == [(("Third, T.",), 1930)]
    assert (work.id, work.published, work.rights) == ("12", 1899, "Public domain in the USA.")
    assert (work.subjects, work.languages, work.issued) == (("Harbours -- Fiction",), ("en",), "2004-10-02")


def test_two_copies_of_one_item_are_one(archive: Archive, fetched: Fetched, tmp_path: Path) -> None:
    gutenberg(archive, {11: (TITLE, AUTHOR, 1901)})
    headings = tmp_path / "headings.yaml"
    headings.write_text("version: 1\nsource: here\nsubjects: [Bells, Harbours, Fiction]\n", encoding="utf-8")
    report = fetched({"s": {"kind": "gutenberg", "subjects": str(headings)}})
    assert report["totals"]["taken"] == 1 and len(archive.asked(r"\.rdf$")) == 1
