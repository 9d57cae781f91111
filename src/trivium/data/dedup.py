"""Near-duplicates: one-permutation MinHash over byte 8-grams proposes pairs, the texts' exact Jaccard similarity decides.

Only 32 bytes a document are kept while reading; texts are fetched again for the proposed pairs alone.
Source of the sketch: Li, Owen and Zhang, "One Permutation Hashing" (2012).
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

SHINGLE = 8
BINS, BANDS = 32, 8
"""A sketch has 32 minima; 8 bands of 4 propose pairs: with probability 0.997 at similarity 0.85, 0.89 at 0.7."""

MOST_COMPARED = 64
"""Kept texts that a text is compared with in one bucket, so that templated data stays linear."""

Keys = npt.NDArray[np.uint32]
_ODD = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))


def normalised(text: str) -> str:
    """Lower case, white space folded: what counts as the same text."""
    return " ".join(text.lower().split())


def band_keys(texts: list[str]) -> Keys:
    """Band keys (len(texts), 8) of normalised texts; two near-copies share at least one column, almost surely."""
    data = [text.encode("utf-8").replace(b"\0", b" ") for text in texts]
    buffer = b"".join(piece + bytes(SHINGLE) for piece in data)
    windows = np.ndarray((len(buffer) - SHINGLE + 1,), "<u8", buffer, strides=(1,)) * _ODD[0]
    windows ^= windows >> np.uint64(29)
    windows *= _ODD[1]
    owner = np.repeat(np.arange(len(data), dtype=np.int64), [len(piece) + SHINGLE for piece in data])[: len(windows)]
    inside = np.frombuffer(buffer, np.uint8)[: len(windows)] != 0
    slot = owner[inside] * BINS + (windows[inside] >> np.uint64(59)).astype(np.int64)
    minima = np.full(len(data) * BINS, 0xFFFFFFFF, np.uint32)
    np.minimum.at(minima, slot, (windows[inside] >> np.uint64(27)).astype(np.uint32))
    return _fold(minima.reshape(len(data), BANDS, BINS // BANDS))


def _fold(minima: Keys) -> Keys:
    """One number of the minima of each band."""
    keys = np.zeros(minima.shape[:2], np.uint64)
    for column in range(minima.shape[2]):
        keys = (keys ^ minima[:, :, column]) * _ODD[0]
        keys ^= keys >> np.uint64(31)
    return (keys >> np.uint64(32)).astype(np.uint32)


def duplicates(keys: Keys, text_of: Callable[[int], str], threshold: float) -> npt.NDArray[np.bool_]:
    """Which of N documents (N, 8) repeat an earlier one: Jaccard similarity of their 8-grams at least `threshold`."""
    dropped = np.zeros(len(keys), np.bool_)
    compared: set[tuple[int, int]] = set()
    for bucket in _buckets(keys):
        kept: list[tuple[int, set[str]]] = []
        for index in bucket:
            if dropped[index]:
                continue
            grams = shingles(text_of(index))
            fresh = [(other, theirs) for other, theirs in kept if (other, index) not in compared]
            compared.update((other, index) for other, _ in fresh)
            if any(jaccard(grams, theirs) >= threshold for _, theirs in fresh):
                dropped[index] = True
            elif len(kept) < MOST_COMPARED:
                kept.append((index, grams))
    return dropped


def _buckets(keys: Keys) -> Iterator[list[int]]:
    """Documents that share a band key, in input order."""
    for band in range(keys.shape[1]):
        order = np.argsort(keys[:, band], kind="stable")
        values = keys[order, band]
        edges = np.flatnonzero(np.diff(values)) + 1
        starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(order)]])
        for start, end in zip(starts[ends - starts > 1].tolist(), ends[ends - starts > 1].tolist(), strict=True):
            yield order[start:end].tolist()


def shingles(text: str) -> set[str]:
    """The 8-grams of a normalised text; a shorter text is one."""
    folded = normalised(text)
    return {folded[i : i + SHINGLE] for i in range(max(1, len(folded) - SHINGLE + 1))}


def jaccard(a: set[str], b: set[str]) -> float:
    """|a ∩ b| / |a ∪ b|; 0 for two empty sets.

    >>> jaccard({"a", "b"}, {"b", "c"})
    0.3333333333333333
    """
    union = len(a | b)
    return len(a & b) / union if union else 0.0
