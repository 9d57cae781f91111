"""Long texts cut into pieces: whole paragraphs where they fit, else whole sentences, else words, else anywhere."""

import re
from collections.abc import Iterable, Iterator

Part = tuple[str, str]
"""What joins a part to the one before it, and the part."""

BUFFER = 1 << 16
"""Characters of an unbroken paragraph that are held at once; a longer one is cut before its end is known."""

PARAGRAPH = "\n\n"
AFTER_SENTENCE = re.compile(r"(\s(?:(?<=[.!?…].)|(?<=[.!?…][\"'”’)\]].))\s*)", re.DOTALL)
"""The white space after a sentence and the quotation mark that closes it; begins with a set, so that it is searched fast."""


def pieces(lines: Iterable[str], max_chars: int) -> Iterator[str]:
    """Pieces of at most `max_chars` characters from lines that keep their ends; holds little more than a paragraph.

    >>> list(pieces(["One. Two.\\n", "\\n", "Three.\\n"], 10))
    ['One. Two.', 'Three.']
    """
    piece = ""
    for joint, part in _parts(lines, max_chars):
        if not piece:
            piece = part
        elif len(piece) + len(joint) + len(part) <= max_chars:
            piece += joint + part
        else:
            yield piece
            piece = part
    if piece:
        yield piece


def _parts(lines: Iterable[str], size: int) -> Iterator[Part]:
    held: list[str] = []
    length, joint = 0, PARAGRAPH
    for line in lines:
        if not line.strip():
            yield from _of_paragraph("".join(held), size, joint)
            held, length, joint = [], 0, PARAGRAPH
            continue
        held.append(line)
        length += len(line)
        if length > max(BUFFER, size):
            *whole, (last_joint, last) = _of_paragraph("".join(held), size, joint, strip=False)
            yield from whole
            held, length, joint = [last], len(last), last_joint
    yield from _of_paragraph("".join(held), size, joint)


def _of_paragraph(text: str, size: int, joint: str, strip: bool = True) -> Iterator[Part]:
    text = text.strip("\n").rstrip() if strip else text
    if len(text) <= size:
        if text.strip():
            yield joint, text
        return
    sentences = AFTER_SENTENCE.split(text)
    for i in range(0, len(sentences), 2):
        before = sentences[i - 1] if i else joint
        yield from _of_sentence(sentences[i], size, before)


def _of_sentence(text: str, size: int, joint: str) -> Iterator[Part]:
    while len(text) > size:
        end = text.rfind(" ", 1, size + 1)
        end = end if end > 0 else size
        yield joint, text[:end]
        rest = text[end:].lstrip(" ")
        joint, text = " " * (len(text) - end - len(rest)), rest
    if text:
        yield joint, text
