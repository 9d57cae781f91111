"""What the size of a passage counts: characters, words or a tokenizer's tokens."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from trivium.errors import ModelError
from trivium.schema.library import ChunkConfig

Span = tuple[int, int]
Encode = Callable[[str], Sequence[Span]]
"""A text's tokens as (first character, past the last one)."""


class Counted(NamedTuple):
    """A text and how many units it has."""

    text: str
    units: int


REACH = 64
"""Characters within which a cut is moved to the nearest white space."""

_LONGEST = 256
"""A longer run of letters, or of white space, counts as several words."""
_WORD = rf"\S{{1,{_LONGEST}}}\s{{0,{_LONGEST}}}|\s{{1,{_LONGEST}}}"
_WORDS = re.compile(_WORD)


class Unit(Protocol):
    """A measure of text. `widest` is the most characters that one unit spans."""

    widest: int

    def count(self, text: str) -> int:
        """Units of a text."""

    def joined(self, before: "Counted", joint: str, after: "Counted") -> "Counted":
        """Two texts as one."""

    def head(self, text: str, start: int, most: int) -> int:
        """Where the longest stretch from `start` of at most `most` units ends; at least a character is taken."""

    def tail(self, text: str, start: int, end: int, least: int) -> int:
        """Where the shortest stretch up to `end` of at least `least` units begins; not before `start`."""


class Characters:
    """Cuts are moved to white space that is at most `reach` characters away."""

    widest = 1

    def __init__(self, reach: int = REACH) -> None:
        self._reach = reach

    def count(self, text: str) -> int:
        """Characters."""
        return len(text)

    def joined(self, before: Counted, joint: str, after: Counted) -> Counted:
        """As `Unit.joined`."""
        text = f"{before.text}{joint}{after.text}"
        return Counted(text, len(text))

    def head(self, text: str, start: int, most: int) -> int:
        """As `Unit.head`."""
        end = start + most
        if end >= len(text) or text[end].isspace():
            return min(end, len(text))
        return _after_space(text, max(start + 1, end - self._reach), end) or end

    def tail(self, text: str, start: int, end: int, least: int) -> int:
        """As `Unit.tail`."""
        first = max(start, end - least)
        return _after_space(text, max(start, first - self._reach), first) or first if first > start else start


class Words:
    """Words with the white space after them."""

    widest = 2 * _LONGEST

    def count(self, text: str) -> int:
        """Words; very long runs of letters or white space count as several."""
        words = text.split()
        if len(text) <= _LONGEST or max(map(len, words), default=0) <= _LONGEST:
            return len(words)
        return len(_WORDS.findall(text))

    def joined(self, before: Counted, joint: str, after: Counted) -> Counted:
        """As `Unit.joined`."""
        text = f"{before.text}{joint}{after.text}"
        return Counted(text, before.units + after.units if joint else self.count(text))

    def head(self, text: str, start: int, most: int) -> int:
        """As `Unit.head`."""
        found = _run(most).match(text, start)
        return found.end() if found is not None else len(text)

    def tail(self, text: str, start: int, end: int, least: int) -> int:
        """As `Unit.tail`."""
        starts = [found.start() for found in _WORDS.finditer(text, start, end)]
        return starts[-least] if 0 < least <= len(starts) else start if least else end


class Tokens:
    """Tokens by a function that gives their places; cuts stand at white space where there is some."""

    widest = 16

    def __init__(self, encode: Encode) -> None:
        self._encode = encode

    def count(self, text: str) -> int:
        """Tokens, special ones left out."""
        return len(self._encode(text))

    def joined(self, before: Counted, joint: str, after: Counted) -> Counted:
        """As `Unit.joined`; tokens may change where texts meet, so that the whole is counted."""
        text = f"{before.text}{joint}{after.text}"
        return Counted(text, self.count(text))

    def head(self, text: str, start: int, most: int) -> int:
        """As `Unit.head`: a piece by itself may need more tokens than it had in its place, and is then made shorter."""
        limit = min(len(text), start + most * self.widest)
        spans = self._encode(text[start:limit])
        if len(spans) <= most:
            return limit
        end = start + max(1, spans[most - 1][1])
        end = _after_space(text, start + 1, end) or end
        while end > start + 1 and self.count(text[start:end]) > most:
            end = _after_space(text, start + 1, end - 1) or end - 1
        return end

    def tail(self, text: str, start: int, end: int, least: int) -> int:
        """As `Unit.tail`."""
        spans = self._encode(text[start:end])
        if least <= 0 or least >= len(spans):
            return start if least else end
        first = start + spans[-least][0]
        first = _after_space(text, start + 1, first) or first
        while first > start + 1 and self.count(text[first:end]) < least:
            first = _after_space(text, start + 1, first - 1) or first - 1
        return first


def unit_of(config: ChunkConfig) -> Unit:
    """The unit of a configuration; raises `ModelError` where its tokenizer cannot be loaded."""
    if config.unit == "words":
        return Words()
    if config.unit == "tokens":
        return Tokens(_encoder(str(config.tokenizer)))
    if config.method == "paragraph":
        return Characters(config.size)
    return Characters(min(REACH, max(0, config.size - config.overlap - 1) // 2))


def _run(count: int) -> re.Pattern[str]:
    return re.compile(rf"(?:{_WORD}){{1,{count}}}")


def _after_space(text: str, low: int, high: int) -> int:
    """The last place in [low, high] with white space before it; 0 where there is none."""
    return 1 + max(text.rfind(" ", low - 1 if low else 0, high), text.rfind("\n", low - 1 if low else 0, high))


def _encoder(path: str) -> Encode:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path, use_fast=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"dataset.library.chunk.tokenizer: {path} cannot be loaded ({reason}); give a model's folder or a hub id."
        ) from error
    if not tokenizer.is_fast:
        raise ModelError(f"dataset.library.chunk.tokenizer: {path} has no tokenizer.json, which tells where tokens stand.")

    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()

    def encode(text: str) -> Sequence[Span]:
        spans: Sequence[Span] = backend.encode(text, add_special_tokens=False).offsets
        return spans

    return encode
