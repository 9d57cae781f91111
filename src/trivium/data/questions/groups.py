"""Which questions must stay on one side of the split: those of one document, near-equal ones, those with one long answer."""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from trivium.data.contamination import words_of
from trivium.data.dedup import normalised
from trivium.data.sets import Sets
from trivium.sample import Sample

NEAR = 0.75
"""Weighted Jaccard similarity from which two questions are near-equal."""

LONG = 8
"""Words of the shortest reference that ties its questions together: `Yes.` answers many that have nothing in common."""

KEYS, RECENT = 6, 32
"""Telling words of a question, and recent questions with each of them, that it is compared by: templated data stays linear.

A third of the telling words must be shared."""


def asked(sample: Sample) -> str:
    """All that stands before the answer, without the system message."""
    return "\n".join(turn["content"] for turn in sample.prompt if turn["role"] != "system")


def groups(samples: list[Sample]) -> npt.NDArray[np.int64]:
    """The group (N,) of each sample, named by the number of the group's first sample."""
    sets = Sets(len(samples))
    documents = (sample.document for sample in samples)
    references = (_reference(sample) for sample in samples)
    for pairs in (_equal(documents), _equal(references), near_equal([asked(sample) for sample in samples])):
        for first, later in pairs:
            sets.join(first, later)
    return np.array([sets.find(i) for i in range(len(samples))], np.int64)


def near_equal(questions: list[str]) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later) of questions that ask the same with a few other words.

    Similarity is that of their sets of words, each word weighted by log((1 + N) / number of questions that have it): the
    words of a template weigh nothing, so that two of its questions, about different things, are not near-equal.
    """
    sets = [frozenset(words_of(question)) for question in questions]
    yield from _equal(sets)
    first = {words: i for i, words in reversed(list(enumerate(sets))) if words}
    often = Counter(word for words in sets for word in words)
    weight = {word: math.log((1 + len(sets)) / count) for word, count in often.items()}
    totals = {number: sum(weight[word] for word in words) for words, number in first.items()}
    recent: dict[str, deque[int]] = defaultdict(lambda: deque(maxlen=RECENT))
    for words, number in sorted(first.items(), key=lambda item: item[1]):
        keys = [word for word in _telling(words, weight, totals[number]) if often[word] > 1][:KEYS]
        shared = Counter(other for word in keys for other in recent[word])
        for other, count in shared.items():
            if count * 3 >= len(keys) and totals[other] * NEAR <= totals[number] <= totals[other] / NEAR:
                common = sum(weight[word] for word in words & sets[other])
                if common >= NEAR * (totals[number] + totals[other] - common):
                    yield other, number
        for word in keys:
            recent[word].append(number)


def _telling(words: frozenset[str], weight: dict[str, float], total: float) -> Iterator[str]:
    """The rarest words: so many that every near-equal question must share one of them (prefix filtering, Chaudhuri 2006)."""
    left = total
    for word in sorted(words, key=lambda word: (-weight[word], word)):
        if left < NEAR * total:
            return
        yield word
        left -= weight[word]


def _equal(keys: Iterable[str | bytes | frozenset[str] | None]) -> Iterator[tuple[int, int]]:
    """Pairs (first, later) of positions with the same key; an empty one is like no other."""
    seen: dict[str | bytes | frozenset[str], int] = {}
    for number, key in enumerate(keys):
        if key:
            first = seen.setdefault(key, number)
            if first != number:
                yield first, number


def _reference(sample: Sample) -> bytes | None:
    said = sample.reference
    return normalised(said) if said is not None and len(words_of(said[:1000])) >= LONG else None
