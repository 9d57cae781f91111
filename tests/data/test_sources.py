"""Reading folders: what is read, what is metadata, what is rejected and why."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from trivium.data import sources
from trivium.data.rejects import Rejects
from trivium.data.sources import documents
from trivium.errors import DataError
from trivium.sample import Sample
from trivium.schema import DatasetConfig, ProvenanceConfig

TEXT = "A text that is long enough to be kept."


GIVEN = ProvenanceConfig(mode="given")


class Lines:
    """A sink that keeps what is written."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def write(self, data: bytes) -> int:
        self.rows.append(orjson.loads(data))
        return len(data)


Read = Callable[..., tuple[list[Sample], list[dict[str, Any]], Rejects]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Samples, rejected lines and the tally of a folder with these files."""

    def call(files: dict[str, bytes | str | list[Any]], path: str = "", **config: Any) -> Any:
        for name, content in files.items():
            target = tmp_path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, list):
                content = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in content)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        lines = Lines()
        rejects = Rejects(lines)
        samples = list(documents(DatasetConfig(name="folder", path=str(tmp_path / path), **config), rejects))
        return samples, lines.rows, rejects

    return call


def test_a_folder_is_read_in_order_and_bad_lines_are_counted(read: Read) -> None:
    rows = [
        {"text": TEXT, "year": 1900, "page": 3},
        "{not json",
        "[1, 2]",
        {"title": "no text here"},
        {"text": 7},
        {"text": "short"},
        {"text": TEXT, "authority": 1.5},
        '{"text": "' + TEXT + '", "authority": NaN}',
        {"text": TEXT, "auth_weight": "0.4", "prov_entropy": 2},
        {"text": "with a \u0000 in its long enough text"},
        "",
    ]
    samples, rejected, rejects = read(
        {"b/rows.jsonl": rows, "a.txt": TEXT, "README.md": "not read", ".hidden/x.txt": TEXT}, provenance=GIVEN
    )
    assert [s.id for s in samples] == ["a.txt#0", "b/rows.jsonl:1#0", "b/rows.jsonl:9#0"]
    assert samples[1] == Sample(
        "b/rows.jsonl:1#0", TEXT, origin="b/rows.jsonl", document="b/rows.jsonl:1", year=1900, metadata={"page": 3}
    )
    assert (samples[2].authority, samples[2].entropy) == (0.4, 2.0)
    assert [(r["file"], r["line"]) for r in rejected] == [("b/rows.jsonl", n) for n in (2, 3, 4, 5, 6, 7, 8, 10)]
    reasons = [r["reason"].split(":")[0] for r in rejected]
    assert reasons == [
        "not valid JSON",
        "not a JSON object",
        "no text",
        "text is not a string",
        "too short",
        "authority out of range",
        "not valid JSON",
        "binary text",
    ]
    assert "allowed is a number from 0 to 0.99" in rejected[5]["reason"] and rejects.count == 8


@pytest.mark.parametrize(
    ("value", "year", "noted"),
    [
        (1850, 1850, 0),
        ("circa 1900", 1900, 0),
        ("1923-05-01", 1923, 0),
        ("long ago", None, 1),
        (None, None, 0),
        (True, None, 1),
    ],
)
def test_years(read: Read, value: Any, year: int | None, noted: int) -> None:
    (sample,), rejected, rejects = read({"a.jsonl": [{"text": TEXT, "year": value}]})
    assert sample.year == year and not rejected
    assert [note.times for note in rejects.notes.values()] == [1] * noted


def test_conversations_and_their_prompts(read: Read) -> None:
    turns = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Nobody that I know of."}]
    rows = [
        {"messages": turns},
        {"instruction": "Sum up.", "input": "A long story.", "output": "It was a long story.", "text": "unused"},
        {"prompt": "Who?", "response": "Nobody that I know of."},
        {"messages": [{"role": "alien", "content": "?"}]},
        {"messages": turns[:1]},
    ]
    samples, rejected, _ = read({"a.jsonl": rows})
    assert samples[0].messages == samples[2].messages == turns and samples[0].text == "Nobody that I know of."
    assert samples[1].messages == [
        {"role": "user", "content": "Sum up.\n\nA long story."},
        {"role": "assistant", "content": "It was a long story."},
    ]
    assert samples[1].metadata == {}
    assert [r["reason"].split(":")[0] for r in rejected] == ["messages not readable", "nothing to learn"]


def test_metadata_beside_text_files(read: Read) -> None:
    files: dict[str, bytes | str | list[Any]] = {
        "books.jsonl": [
            {"file": "books/1.txt", "title": "One", "year": 1888, "genre": "essay"},
            {"file": "../outside.txt", "title": "Never opened"},
        ],
        "books/1.txt": TEXT,
        "books/2.txt": TEXT,
        "books/2.meta.json": '{"title": "Two", "kind": "letter", "doc_id": "second"}',
        "books/3.txt": TEXT,
        "books/3.json": "{broken",
    }
    samples, rejected, rejects = read(files)
    found = [(s.title, s.year, s.source_type, s.document) for s in samples]
    assert found == [
        ("One", 1888, "unknown", "books/1.txt"),
        ("Two", None, "letter", "second"),
        (None, None, "unknown", "books/3.txt"),
    ]
    assert samples[0].metadata == {"genre": "essay"} and not rejected
    assert [n.first for n in rejects.notes.values()] == ["books.jsonl (../outside.txt)", "books/3.txt (3.json)"]


def test_long_documents_become_siblings(read: Read) -> None:
    text = "\n\n".join(f"Paragraph {i} of a longer text." for i in range(6))
    samples, _, _ = read({"a.txt": text, "b.jsonl": [{"text": text, "doc_id": "B"}]}, max_chars=70)
    assert [s.id for s in samples] == [f"{place}#{n}" for place in ("a.txt", "b.jsonl:1") for n in range(3)]
    assert [s.document for s in samples] == ["a.txt"] * 3 + ["B"] * 3
    assert all(len(s.text) <= 70 for s in samples) and "\n\n".join(s.text for s in samples[:3]) == text


def test_own_column_names(read: Read) -> None:
    row = {"inhalt": TEXT, "jahr": 1901, "wer": "Amt"}
    (sample,), _, _ = read({"a.jsonl": [row]}, fields={"text": "inhalt", "year": "jahr"}, source_type="record")
    assert (sample.text, sample.year, sample.source_type, sample.metadata) == (TEXT, 1901, "record", {"wer": "Amt"})
    with pytest.raises(DataError, match=r"dataset.fields.year: no row has a column 'yahr'; columns found: inhalt, jahr, wer"):
        read({"a.jsonl": [row]}, fields={"text": "inhalt", "year": "yahr"})


def test_latin1_text_is_read_and_noted(read: Read) -> None:
    (sample,), _, rejects = read({"a.txt": "Ein schöner und genügend langer Text.\r\nZweite Zeile.".encode("latin-1")})
    assert sample.text == "Ein schöner und genügend langer Text.\nZweite Zeile."
    assert list(rejects.notes) == ["text file that is not UTF-8, read as cp1252"]


def test_scores_of_the_data_matter_only_where_they_are_taken_as_given(read: Read) -> None:
    samples, rejected, rejects = read({"a.jsonl": [{"text": TEXT, "authority": "high"}, {"text": TEXT, "entropy": -1}]})
    assert [(s.authority, s.entropy) for s in samples] == [(None, None)] * 2
    assert not rejected and len(rejects.notes) == 2


def test_files_that_cannot_be_used_do_not_end_the_run(read: Read, tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"body": [TEXT, None], "authority": [float("nan"), 0.5], "when": [1900, 1901]})
    pyarrow.parquet.write_table(table, tmp_path / "whole.parquet")
    cut = (tmp_path / "whole.parquet").read_bytes()[:-20]
    samples, rejected, _ = read(
        {"cut.parquet": cut, "b.txt": b"\0\1\2", "e.txt": b"", "n.jsonl": b'{"text": "\0', "ok.txt": TEXT}, provenance=GIVEN
    )
    assert [s.id for s in samples] == ["ok.txt#0"]
    found = [(r["file"], r["line"], r["reason"].split(":")[0]) for r in rejected]
    assert found == [
        ("b.txt", None, "binary file"),
        ("cut.parquet", None, "unreadable Parquet file"),
        ("e.txt", None, "empty file"),
        ("n.jsonl", None, "binary file"),
        ("whole.parquet", 1, "authority out of range"),
        ("whole.parquet", 2, "no text"),
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(read: Read, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "a.txt").chmod(0)
    _, rejected, _ = read({"b.txt": TEXT})
    assert rejected == [{"file": "a.txt", "line": None, "reason": "unreadable file: Permission denied"}]


def test_links_out_of_the_folder_are_not_followed(read: Read, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.txt"
    outside.write_text(TEXT)
    (tmp_path / "a.txt").symlink_to(outside)
    (tmp_path / "dead.txt").symlink_to(tmp_path / "nowhere.txt")
    samples, rejected, _ = read({"b.txt": TEXT})
    assert [s.id for s in samples] == ["b.txt#0"]
    assert {(r["file"], r["reason"].split(":")[0]) for r in rejected} == {
        ("a.txt", "link out of the folder"),
        ("dead.txt", "link out of the folder"),
    }


def test_a_line_that_is_too_long(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_LINE", 200)
    samples, rejected, _ = read({"a.jsonl": [{"text": TEXT}, {"text": "x" * 1000}, {"text": TEXT}]})
    assert [s.id for s in samples] == ["a.jsonl:1#0", "a.jsonl:3#0"]
    assert [(r["line"], r["reason"].split(":")[0]) for r in rejected] == [(2, "line too long")]


def test_one_file_with_a_byte_order_mark(read: Read) -> None:
    (sample,), _, _ = read({"a.jsonl": b"\xef\xbb\xbf" + json.dumps({"text": TEXT}).encode()}, path="a.jsonl")
    assert sample.id == "a.jsonl:1#0"


@pytest.mark.parametrize(
    ("files", "path", "sentence"),
    [
        ({}, "gone", r"gone does not exist; give a folder or file of \.txt, \.jsonl or \.parquet"),
        ({}, "", "is empty; give a folder"),
        ({"a.pdf": b"x", "b.md": b"y"}, "", r"holds \.md, \.pdf; give a folder"),
        ({"a.docx": b"x"}, "a.docx", r"holds \.docx; give a folder"),
        (
            {"a.jsonl": [{"text": "short"}] * 5},
            "",
            r"5 lines or files were rejected\. The first: a\.jsonl:1: too short: 5 char",
        ),
    ],
)
def test_nothing_to_read(read: Read, files: dict[str, Any], path: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read(files, path=path)
