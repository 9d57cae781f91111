"""Encodings, binary files, and the frame of Project Gutenberg."""

from pathlib import Path

import pytest

from trivium.data import textfile
from trivium.data.rejects import BadRow


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("Ä plain text".encode(), "utf-8"),
        ("Ä marked text".encode("utf-8-sig"), "utf-8-sig"),
        ("Ä “quoted” text".encode("cp1252"), "cp1252"),
        ("Ä text".encode("latin-1") + b"\x81", "latin-1"),
        ("Ä text".encode("utf-16"), "utf-16"),
        ("cut in a character Ä".encode()[:-1], "cp1252"),
    ],
)
def test_encoding(tmp_path: Path, data: bytes, encoding: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    assert textfile.encoding_of(path) == encoding
    assert "".join(textfile.lines(path, encoding)) == data.decode(encoding).removeprefix("\ufeff")


def test_a_character_across_two_blocks_is_still_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * (textfile.BLOCK - 1) + "Ä".encode())
    assert textfile.encoding_of(path) == "utf-8"


@pytest.mark.parametrize(("data", "kind"), [(b"", "empty file"), (b"GIF89a\0\0 some bytes", "binary file")])
def test_files_that_are_no_text(tmp_path: Path, data: bytes, kind: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    with pytest.raises(BadRow, match=kind):
        textfile.encoding_of(path)


def test_line_ends_become_one_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\r\ntwo\rthree\n")
    assert list(textfile.lines(path, "utf-8")) == ["one\n", "two\n", "three\n"]


FRAMED = """The Project Gutenberg eBook of A Book

*** START OF {word} PROJECT GUTENBERG EBOOK A BOOK ***
The body.
*** not a marker ***
More body.
{tail}*** END OF {word} PROJECT GUTENBERG EBOOK A BOOK ***
Licence.
"""


@pytest.mark.parametrize("word", ["THE", "THIS"])
@pytest.mark.parametrize("tail", ["", "End of Project Gutenberg's A Book, by Nobody\n"])
def test_the_frame_of_a_book_is_left_out(word: str, tail: str) -> None:
    lines = FRAMED.format(word=word, tail=tail).splitlines(keepends=True)
    assert "".join(textfile.body(lines)) == "The body.\n*** not a marker ***\nMore body.\n"


def test_a_start_marker_over_two_lines() -> None:
    lines = ["***START OF THE PROJECT GUTENBERG EBOOK A VERY LONG\n", "TITLE INDEED***\n", "Body.\n"]
    assert list(textfile.body(lines)) == ["Body.\n"]


def test_any_other_text_is_left_as_it_is() -> None:
    lines = ["A text on Project Gutenberg.\n", "*** START OF THE RACE ***\n"] + ["x" * 1000 + "\n"] * 200
    assert list(textfile.body(lines)) == lines
