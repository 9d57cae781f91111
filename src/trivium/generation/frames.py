"""Frames: short templates with named slots, written in YAML and filled with what is known."""

import string
from collections.abc import Collection, Mapping, Sequence
from random import Random


def slots(frame: str) -> frozenset[str]:
    """The names in braces; raises `ValueError` for a frame whose braces do not pair or that formats its slots.

    >>> sorted(slots("{opener} It was {year}."))
    ['opener', 'year']
    """
    found = [(name, form, conversion) for _, name, form, conversion in string.Formatter().parse(frame) if name is not None]
    if any(form or conversion or not name.isidentifier() for name, form, conversion in found):
        raise ValueError("a slot is a plain name in braces, for example {year}")
    return frozenset(name for name, _, _ in found)


def fill(frame: str, values: Mapping[str, str]) -> str:
    """The frame with its slots filled and single spaces between words.

    >>> fill("{opener}  I saw {it}.", {"opener": "", "it": "a sail"})
    'I saw a sail.'
    """
    return " ".join(frame.format_map(values).split())


def fitting(frames: Sequence[str], known: Collection[str]) -> list[str]:
    """The frames of which every slot is known."""
    return [frame for frame in frames if slots(frame) <= set(known)]


def anchored(frames: Sequence[str], known: Collection[str], to: Collection[str]) -> list[str]:
    """The fitting frames that name what they are about, or else all that fit."""
    fit = fitting(frames, known)
    return [frame for frame in fit if slots(frame) & set(to)] or fit


def pick(items: Sequence[str], rng: Random) -> str:
    """One of the items, or an empty text where there is none."""
    return items[rng.randrange(len(items))] if items else ""


def as_sentence(text: str) -> str:
    """A text with a capital at its beginning and a mark at its end.

    >>> as_sentence("in 1847")
    'In 1847.'
    """
    text = " ".join(text.split())
    text = text[:1].upper() + text[1:]
    return text if not text or text[-1] in '.!?…"”’' else text + "."
