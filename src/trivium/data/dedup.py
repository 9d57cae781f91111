"""Near-duplicates by MinHash: sketches stay on disk, sorted bands propose pairs, the whole sketches decide.

The set behind a text is its 16-byte windows after lower-casing and leaving white space out, so that wrapped lines do not
matter, while a changed name or number takes 16 windows or more with it: a short templated sentence that differs in one is
not a copy. Sketch: one permutation hashing, 128 bins (Li, Owen and Zhang 2012), 8 bits a bin (b-bit
minwise hashing, Li and König 2010); empty bins are filled from the next one for the bands (Shrivastava and Li 2014).
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

BINS = 128
WINDOW = 16
EDGE = WINDOW - 1
"""Zeros around a text, so that its first and last bytes too stand in 16 windows each."""

MAX_BYTES = 1 << 18
"""Bytes of a text that are compared; the beginning of a longer one stands for all of it."""

RECORD = np.dtype([("digest", "<u8"), ("minima", "u1", BINS), ("filled", "u1", BINS)])
"""A sketch on disk: a hash of the whole set, the minima (0: empty bin), and the same with empty bins filled."""

ROWS = {8: "<u8", 4: "<u4", 2: "<u2"}
"""Minima in a band, and the integer that they are read as."""

RECALL = 0.99
"""Least chance that two texts exactly at the threshold share a band."""

ROUNDS = 8
"""Texts of a bucket that the others of it are compared with, so that templated data stays linear."""

BLOCK = 1 << 14
_WHITE = b" \t\n\r\v\f"
_ODD = tuple(np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93))
_EMPTY = np.uint32(0xFFFFFFFF)

Sketches = npt.NDArray[np.void]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]


def normalised(text: str) -> bytes:
    """What is compared of a text: lower case, no white space, UTF-8."""
    return text[:MAX_BYTES].lower().encode().translate(None, _WHITE)[:MAX_BYTES]


def sketches(texts: list[bytes]) -> Sketches:
    """Sketches (len(texts),) of normalised texts, all at once."""
    count = len(texts)
    hashes = _window_hashes(texts)
    lengths = np.array([len(text) + EDGE for text in texts])
    slots = np.repeat(np.arange(count) * BINS, lengths)
    slots += (hashes >> np.uint64(57)).view(np.int64)
    minima = np.full(count * BINS, _EMPTY, np.uint32)
    np.minimum.at(minima, slots, (hashes >> np.uint64(20)).astype(np.uint32))
    found = np.zeros(count, RECORD)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    found["digest"] = np.add.reduceat(hashes, starts)
    found["minima"] = _eight_bits(minima.reshape(count, BINS))
    found["filled"] = _filled(found["minima"])
    return found


def _window_hashes(texts: list[bytes]) -> Words:
    """A hash of the 16 bytes that begin at each byte, over all texts; 15 zeros stand before and after each."""
    buffer = b"".join(bytes(EDGE) + text for text in texts)
    size = len(buffer)
    padded = buffer + bytes(2 * WINDOW)
    eights = np.empty(size + 8, np.uint64)
    for shift in range(8):
        part = eights[shift::8]
        part[:] = np.frombuffer(padded, "<u8", len(part), shift)
    hashes: Words = eights[:size] * _ODD[0]
    hashes ^= eights[8:] * _ODD[1]
    hashes ^= hashes >> np.uint64(29)
    hashes *= _ODD[2]
    return hashes


def _eight_bits(minima: npt.NDArray[np.uint32]) -> Bytes:
    """1 to 255, 0 for an empty bin."""
    folded: Bytes = ((minima >> np.uint32(4)) % np.uint32(255) + np.uint32(1)).astype(np.uint8)
    folded[minima == _EMPTY] = 0
    return folded


def _filled(minima: Bytes) -> Bytes:
    """Each empty bin takes the value of the next bin that is not empty, moved by the distance to it."""
    twice = np.concatenate([minima, minima], axis=1)
    position = np.where(twice > 0, np.arange(2 * BINS, dtype=np.int16), np.int16(2 * BINS - 1))
    source = np.minimum.accumulate(position[:, ::-1], axis=1)[:, ::-1][:, :BINS]
    distance = (source - np.arange(BINS, dtype=np.int16)).astype(np.uint8)
    filled: Bytes = np.take_along_axis(twice, source.astype(np.int64), axis=1) + distance * np.uint8(37)
    return filled


def duplicates(file: BinaryIO, count: int, among: Bools, threshold: float, tick: Callable[[], None] = lambda: None) -> Bools:
    """Which of `count` sketched texts (N,) repeat an earlier one, of those that `among` (N,) marks.

    The first of several copies is kept. A text counts as a copy when the estimated Jaccard similarity with an earlier one
    is at least `threshold`; at a threshold of 1 the sets must be equal.
    """
    dropped = np.zeros(count, np.bool_)
    size = rows_per_band(threshold)
    for band in range(BINS // size):
        keys = _band(file, count, band, size)
        for first, later in _pairs(keys, among, dropped):
            dropped[later[_similarity(file, first, later) >= threshold]] = True
        tick()
    return dropped


def rows_per_band(threshold: float) -> int:
    """Minima in a band: as many as still propose a pair at the threshold with a chance of 0.99."""
    for size in ROWS:
        if 1 - (1 - threshold**size) ** (BINS // size) >= RECALL:
            return size
    return min(ROWS)


def _band(file: BinaryIO, count: int, band: int, size: int) -> npt.NDArray[np.unsignedinteger]:
    """One band's key of every text (N,)."""
    keys = np.empty(count, ROWS[size])
    file.seek(0)
    for start in range(0, count, BLOCK):
        rows = np.frombuffer(file.read(RECORD.itemsize * min(BLOCK, count - start)), RECORD)
        part = np.ascontiguousarray(rows["filled"][:, band * size : (band + 1) * size])
        keys[start : start + len(rows)] = part.view(ROWS[size])[:, 0]
    return keys


def _pairs(keys: npt.NDArray[np.unsignedinteger], among: Bools, dropped: Bools) -> Iterator[tuple[Ints, Ints]]:
    """Pairs (first, later) of texts that share a key: in each round a bucket's first text with all others still there."""
    order = np.flatnonzero(among & ~dropped)
    order = order[np.argsort(keys[order], kind="stable")]
    for _ in range(ROUNDS):
        values = keys[order]
        head = np.ones(len(order), np.bool_)
        head[1:] = values[1:] != values[:-1]
        first = order[np.maximum.accumulate(np.where(head, np.arange(len(order)), 0))]
        order, first = order[~head], first[~head]
        if not len(order):
            return
        for start in range(0, len(order), BLOCK):
            yield first[start : start + BLOCK], order[start : start + BLOCK]
        order = order[~dropped[order]]


def _similarity(file: BinaryIO, first: Ints, later: Ints) -> npt.NDArray[np.float64]:
    """Estimated Jaccard similarity (P,) of pairs: bins that agree among those not empty in both, chance agreement left out."""
    a, b = _fetch(file, first), _fetch(file, later)
    used = (a["minima"] > 0) | (b["minima"] > 0)
    agree = ((a["minima"] == b["minima"]) & used).sum(axis=1) / np.maximum(1, used.sum(axis=1))
    chance = 1 / 255
    estimate = np.minimum((agree - chance) / (1 - chance), 1 - 1 / BINS)
    return np.where(a["digest"] == b["digest"], 1.0, estimate)


def _fetch(file: BinaryIO, indices: Ints) -> Sketches:
    """Sketches of texts by number."""
    unique, inverse = np.unique(indices, return_inverse=True)
    parts = []
    for index in unique.tolist():
        file.seek(index * RECORD.itemsize)
        parts.append(file.read(RECORD.itemsize))
    return np.frombuffer(b"".join(parts), RECORD)[inverse]
