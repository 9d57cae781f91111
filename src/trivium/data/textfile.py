"""Plain text files: their encoding found first, their lines streamed, Project Gutenberg's frame around a book left out."""

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from trivium.data.rejects import BadRow

BLOCK = 1 << 20
LINE = 1 << 16
"""Characters read at once; a longer line comes in several parts."""

HEADER = 1 << 17
"""Characters within which the frame's start must stand."""

FALLBACKS = ("cp1252", "latin-1")
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_NOT_CP1252 = (0x81, 0x8D, 0x8F, 0x90, 0x9D)

_START = re.compile(r"\*\*\*\s*START OF (?:THE|THIS) PROJECT GUTENBERG EBOOK", re.IGNORECASE)
_END = re.compile(r"\*\*\*\s*END OF (?:THE|THIS) PROJECT GUTENBERG EBOOK|End of (?:the )?Project Gutenberg(?:'|’|\s)")
TITLE_LINES = 4
"""Lines over which a long title may spread the start marker."""


def encoding_of(path: Path) -> str:
    """The encoding by which every byte can be read: UTF-8 (or UTF-16 by its mark), else Windows-1252, else Latin-1.

    Raises `BadRow` for binary and empty files, `OSError` for unreadable ones.
    """
    strict, undefined = codecs.getincrementaldecoder("utf-8")(), False
    utf8 = True
    with path.open("rb") as file:
        block = file.read(BLOCK)
        if not block:
            raise BadRow("empty file")
        marked = next((name for mark, name in _BOMS.items() if block.startswith(mark)), "utf-8")
        if marked == "utf-16":
            return marked
        while block:
            if b"\0" in block:
                raise BadRow("binary file", "it holds NUL bytes; text is read as UTF-8, UTF-16 with its mark, or Windows-1252")
            utf8 = utf8 and _decodes(strict, block)
            undefined = undefined or any(byte in block for byte in _NOT_CP1252)
            block = file.read(BLOCK)
    if utf8 and _decodes(strict, b"", final=True):
        return marked
    return FALLBACKS[1] if undefined else FALLBACKS[0]


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


def lines(path: Path, encoding: str) -> Iterator[str]:
    r"""The lines of a file with their ends, which are all "\n"; parts of lines where they are very long."""
    try:
        with path.open(encoding=encoding, newline=None) as file:
            while line := file.readline(LINE):
                yield line
    except UnicodeError as error:
        raise BadRow("not readable as text", str(error)) from error


def body(text: Iterable[str]) -> Iterator[str]:
    """The lines between the start and end markers of a Project Gutenberg file; all lines of any other."""
    stream = iter(text)
    head: list[str] = []
    length = 0
    for line in stream:
        if _START.match(line.lstrip()):
            _finish_marker(line, stream)
            head = []
            break
        head.append(line)
        length += len(line)
        if length > HEADER:
            break
    for line in chain(head, stream):
        if _END.match(line.lstrip()):
            return
        yield line


def _finish_marker(line: str, stream: Iterator[str]) -> None:
    """Skip the rest of a start marker whose title runs over several lines."""
    for _ in range(TITLE_LINES - 1):
        if line.rstrip().endswith("***"):
            return
        line = next(stream, "***")
