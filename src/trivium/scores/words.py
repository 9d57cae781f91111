"""Texts as words and sentences, for scores that need no model: any script, any length, in bounded time."""

import re
from collections.abc import Sequence
from functools import lru_cache

from trivium.scores.lexicon import Lexicon

LONGEST = 200_000
"""Characters of a text that are read at all."""

_UNPRINTABLE = re.compile("[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
"""Scripts that are counted by character."""
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+(?:['\-][^\W_{_UNSPACED}]+|[.,]\d+)*")
_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]{0,3}\s+|(?<=[。！？])|\n+")
_ABBREVIATION = re.compile(r"(?:^|[\s(])(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|cf|No|[a-zA-Z]\.[a-zA-Z])\.$")


def plain(text: str) -> str:
    """The text as models and patterns can take it: without lone surrogates and control characters, apostrophes straight."""
    return _UNPRINTABLE.sub(" ", text[:LONGEST]).replace("’", "'")


@lru_cache(maxsize=512)
def words(text: str) -> tuple[str, ...]:
    """The words in lower case, each Chinese, Japanese or Korean character one of its own.

    >>> words("Copper's 3.5 units, well-known: 熱い")
    ("copper's", '3.5', 'units', 'well-known', '熱', 'い')
    """
    return tuple(_WORD.findall(plain(text).casefold()))


@lru_cache(maxsize=512)
def sentences(text: str) -> tuple[str, ...]:
    """The sentences that have a word in them; a line break ends one, an abbreviation does not.

    >>> sentences("Dr. Smith measured 3.5 kg. Was it right? Yes")
    ('Dr. Smith measured 3.5 kg.', 'Was it right?', 'Yes')
    """
    found: list[str] = []
    held = ""
    for part in _END.split(plain(text)):
        held = f"{held} {part}".strip() if held else part.strip()
        if _ABBREVIATION.search(held[-12:]) is None or len(held) > 1000:
            found.append(held)
            held = ""
    return tuple(sentence for sentence in (*found, held) if _WORD.search(sentence))


def asserting(text: str) -> tuple[str, ...]:
    """The distinct sentences that are no questions."""
    told = (sentence for sentence in sentences(text) if not sentence.rstrip("\"')]”").endswith(("?", "？")))
    return tuple(dict.fromkeys(told))


def is_prose(sentence: str, lexicon: Lexicon) -> bool:
    """Whether a sentence is more than a list of words: of more than four, every seventh is a function word."""
    spoken = words(sentence)
    return len(spoken) <= 4 or 7 * sum(word in lexicon.words("function_words") for word in spoken) >= len(spoken)


def windows(parts: Sequence[str], size: int) -> list[str]:
    """Sentences put together to windows of at most `size` words; a longer sentence is cut into windows of its own."""
    found: list[list[str]] = [[]]
    length = 0
    for part in (piece for sentence in parts for piece in _cut(sentence, size)):
        count = len(words(part))
        if length and length + count > size:
            found.append([])
            length = 0
        found[-1].append(part)
        length += count
    return [" ".join(window) for window in found if window]


def spread(parts: Sequence[str], most: int) -> list[str]:
    """At most that many of the parts, evenly over the whole, the first and the last among them.

    >>> spread(["a", "b", "c", "d", "e"], 3)
    ['a', 'c', 'e']
    """
    if len(parts) <= most:
        return list(parts)
    step = (len(parts) - 1) / max(1, most - 1)
    return [parts[round(i * step)] for i in range(most)]


def contents(text: str, lexicon: Lexicon) -> list[str]:
    """The stems of the words that carry content: neither function words nor such as fit any subject."""
    idle = lexicon.idle
    return [stem(word) for word in words(text) if word not in idle and not _nothing(word)]


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """A word without its commonest English endings, so that forms of one word are found equal.

    >>> [stem(word) for word in ("carries", "carry", "metals", "melting", "glass", "heated")]
    ['carry', 'carry', 'metal', 'melt', 'glass', 'heat']
    """
    word = word.removesuffix("'s")
    for ending, instead in (("ies", "y"), ("ied", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[: len(word) - len(ending)] + instead
    return word


def ramp(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high` on, straight between.

    >>> ramp(0.1, 0.2, 0.4), ramp(0.3, 0.2, 0.4) > 0.49, ramp(9, 0.2, 0.4)
    (0.0, True, 1.0)
    """
    return float(min(1.0, max(0.0, (value - low) / (high - low))))


def _nothing(word: str) -> bool:
    return len(word) == 1 and word.isascii() and word.isalpha()


def _cut(sentence: str, size: int) -> list[str]:
    if len(words(sentence)) <= size:
        return [sentence] if len(sentence) <= 20 * size else [sentence[: 20 * size]]
    spans = [match.span() for match in _WORD.finditer(sentence)]
    starts = [spans[i][0] for i in range(0, len(spans), size)]
    return [sentence[start:end].strip() for start, end in zip([0, *starts[1:]], [*starts[1:], len(sentence)], strict=True)]
