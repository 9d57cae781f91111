"""Works cut into passages, line by line: whole paragraphs filled up to a size, or overlapping windows."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from trivium.data.library.units import Counted, Unit
from trivium.data.pieces import AFTER_SENTENCE, BUFFER, PARAGRAPH
from trivium.schema.library import ChunkConfig


class Cut(NamedTuple):
    """A passage and the character of the work's body that it begins with."""

    start: int
    text: str


class Part(NamedTuple):
    """What goes whole into a passage, and what joins it to the part before."""

    start: int
    joint: str
    content: Counted


class Stretch(NamedTuple):
    """A paragraph as it stands in a work, or a part of a very long one, and what joins it to the text before."""

    start: int
    joint: str
    text: str


_PARAGRAPH = re.compile(r"\S.*(?:\n[^\S\n]*\S.*)*")
"""A run of lines that are not blank."""


def cuts(lines: Iterable[str], config: ChunkConfig, unit: Unit) -> Iterator[Cut]:
    """The passages of a work whose lines keep their ends; none is longer than `config.size` units.

    Paragraphs keep their words while their lines are joined; windows keep every character. Holds little more than a
    paragraph or a window at once.
    """
    if config.method == "window":
        return _windows(lines, unit, config.size, config.overlap)
    return _filled(lines, unit, config.size)


def _blocks(lines: Iterable[str]) -> Iterator[str]:
    """The lines, many at a time."""
    held: list[str] = []
    length = 0
    for line in lines:
        held.append(line)
        length += len(line)
        if length >= BUFFER:
            yield "".join(held)
            held, length = [], 0
    yield "".join(held)


# --- paragraphs ------------------------------------------------------------------------------------------------------


def _filled(lines: Iterable[str], unit: Unit, size: int) -> Iterator[Cut]:
    """Parts put together as long as they fit, what joins them counted."""
    start, held = 0, None
    for part in _parts(lines, unit, size):
        longer = None if held is None else unit.joined(held, part.joint, part.content)
        if longer is not None and longer.units <= size:
            held = longer
            continue
        if held is not None:
            yield Cut(start, held.text)
        start, held = part.start, part.content
    if held is not None:
        yield Cut(start, held.text)


def _parts(lines: Iterable[str], unit: Unit, size: int) -> Iterator[Part]:
    for stretch in _paragraphs(lines):
        content = _unwrapped(stretch.text, unit)
        if content.units <= size:
            yield Part(stretch.start, stretch.joint, content)
        else:
            yield from _of_long(stretch, unit, size)


def _paragraphs(lines: Iterable[str]) -> Iterator[Stretch]:
    """Paragraphs as they stand; one that is longer than the buffer in several parts."""
    text, offset, joint = "", 0, PARAGRAPH
    for block in _blocks(lines):
        text += block
        last = None
        for found in _PARAGRAPH.finditer(text):
            if last is not None:
                yield Stretch(offset + last.start(), joint, last[0])
                joint = PARAGRAPH
            last = found
        done = last.start() if last is not None else len(text)
        if len(text) - done > BUFFER:
            end = _break(text)
            yield Stretch(offset + done, joint, text[done:end])
            joint, done = " " if text[end - 1].isspace() else "", end
        text, offset = text[done:], offset + done
    if text.strip():
        yield Stretch(offset, joint, text)


def _unwrapped(text: str, unit: Unit) -> Counted:
    """A text on one line, with single spaces."""
    line = text.replace("\n", " ").strip()
    if "  " in line or "\t" in line:
        line = " ".join(line.split())
    return Counted(line, unit.count(line))


def _break(text: str) -> int:
    """A place near the end of a text to cut it at: after a sentence, else after a word, else the end."""
    low = max(1, len(text) - BUFFER // 2)
    sentence = max((found.end() for found in AFTER_SENTENCE.finditer(text, low)), default=0)
    return sentence or 1 + max(text.rfind(" ", low), text.rfind("\n", low)) or len(text)


def _of_long(stretch: Stretch, unit: Unit, size: int) -> Iterator[Part]:
    """The sentences of a paragraph that does not fit, and the words of a sentence that does not."""
    text, begin, joint = stretch.text, 0, stretch.joint
    for end in (*(found.end() for found in AFTER_SENTENCE.finditer(text)), len(text)):
        while begin < end:
            stop, content = end, _unwrapped(text[begin:end], unit)
            if content.units > size:
                stop = begin + unit.head(text[begin:end], 0, size)
                content = _unwrapped(text[begin:stop], unit)
            if content.text:
                yield Part(stretch.start + begin, joint, content)
            joint = " " if text[stop - 1].isspace() or text[stop : stop + 1].isspace() else ""
            begin = stop


# --- windows ---------------------------------------------------------------------------------------------------------


def _windows(lines: Iterable[str], unit: Unit, size: int, overlap: int) -> Iterator[Cut]:
    blocks = _blocks(lines)
    text, offset, start = "", 0, 0
    needed, ended = unit.widest * size + 1, False
    while True:
        while not ended and len(text) - start < needed:
            block = next(blocks, None)
            ended = block is None
            text, offset, start = text[start:] + (block or ""), offset + start, 0
        if start >= len(text):
            return
        end = unit.head(text, start, size)
        yield Cut(offset + start, text[start:end])
        if ended and end >= len(text):
            return
        start = max(start + 1, unit.tail(text, start, end, overlap))
