"""Works that are one under two names: reprints and extracts share sentences, however their paragraphs are cut."""

from array import array
from collections import Counter
from collections.abc import Iterable
from itertools import combinations

import numpy as np
import numpy.typing as npt

from trivium.data.dedup import normalised
from trivium.data.pieces import AFTER_SENTENCE
from trivium.data.sets import Sets
from trivium.data.splits import hash64
from trivium.sample import Sample

LONG = 48
"""Characters of the shortest sentence that is compared; shorter ones are common to many works."""

SHARED, SHARE = 3, 0.1
"""Sentences that two works must have in common, and their share of the work that has fewer."""

ONE_IN = 4
"""One sentence in so many is compared, by its hash; 12 bytes are held of each."""

PAIR = np.dtype([("hash", "<u8"), ("document", "<u4")])
COMMON = 8
"""A sentence in more works than this tells nothing of any of them."""


def kin(passages: Iterable[Sample]) -> dict[str, str]:
    """The first of the works that each document belongs to, for documents that have kin."""
    numbers: dict[str, int] = {}
    hashes, documents = array("Q"), array("I")
    for passage in passages:
        number = numbers.setdefault(passage.document, len(numbers))
        sampled = list(_sampled(passage.text))
        hashes.extend(sampled)
        documents.extend([number] * len(sampled))
    told = np.zeros(len(hashes), PAIR)
    told["hash"], told["document"] = np.frombuffer(hashes, np.uint64), np.frombuffer(documents, np.uint32)
    told = np.unique(told)
    sizes = np.bincount(told["document"], minlength=len(numbers))
    sets = Sets(len(numbers))
    for (one, other), times in _common(told).items():
        if times >= max(SHARED, SHARE * min(sizes[one], sizes[other])):
            sets.join(one, other)
    names = list(numbers)
    return {name: names[first] for name, i in numbers.items() if (first := sets.find(i)) != i}


def _common(told: npt.NDArray[np.void]) -> "Counter[tuple[int, int]]":
    """How many sentences two documents share, of distinct pairs (N,) sorted by sentence."""
    found: Counter[tuple[int, int]] = Counter()
    starts = np.flatnonzero(np.r_[True, told["hash"][1:] != told["hash"][:-1]]) if len(told) else np.zeros(0, np.int64)
    lengths = np.diff(np.r_[starts, len(told)])
    for start, length in zip(starts[lengths > 1].tolist(), lengths[lengths > 1].tolist(), strict=True):
        if length <= COMMON:
            found.update(combinations(told["document"][start : start + length].tolist(), 2))
    return found


def _sampled(text: str) -> Iterable[int]:
    """Hashes of a text's long sentences, one in so many."""
    for sentence in AFTER_SENTENCE.split(text)[::2]:
        if len(sentence) >= LONG:
            number = hash64(normalised(sentence))
            if number % ONE_IN == 0:
                yield number
