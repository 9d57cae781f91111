"""Which samples are taken, and on which side of the split: by document, so that siblings never part."""

import hashlib
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]

Stream = Callable[[int, str], np.random.Generator]

_MIX = tuple(np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def streams(*purposes: str) -> Stream:
    """A function of seed and purpose that gives each purpose draws of its own, so that a step that is switched off does not
    change another's. The draws go by the purpose's place: a new one goes last.
    """

    def stream(seed: int, purpose: str) -> np.random.Generator:
        return np.random.default_rng([seed, purposes.index(purpose)])

    return stream


def held_out(documents: Words, test_size: float, seed: int) -> Bools:
    """A mask (N,) of the samples of about `test_size` of the documents, by the hash of document (N,) and seed.

    At least one document is held out if `test_size` is above 0, and at least one is left. More documents hardly change the
    side of those that were there.
    """
    unique, inverse = np.unique(documents, return_inverse=True)
    count = min(len(unique) - 1, max(1, round(test_size * len(unique)))) if test_size > 0 else 0
    chosen = np.zeros(len(unique), np.bool_)
    chosen[np.argsort(mixed(unique, seed), kind="stable")[: max(0, count)]] = True
    return chosen[inverse]


def held_out_rows(groups: Words, test_size: float, seed: int) -> Bools:
    """A mask (N,) of whole groups that together hold about `test_size` of the samples, however unequal the groups are.

    Groups (N,) are drawn by the hash of group and seed; one that is larger than what is still wanted is passed over. Where
    none is small enough, the smallest is held out; of a single group nothing is.
    """
    unique, inverse, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    wanted = max(1, round(test_size * len(groups))) if test_size > 0 and len(unique) > 1 else 0
    chosen = np.zeros(len(unique), np.bool_)
    room = wanted
    for group in np.argsort(mixed(unique, seed), kind="stable").tolist():
        if sizes[group] <= room:
            chosen[group], room = True, room - int(sizes[group])
    if wanted and not chosen.any():
        chosen[np.argmin(sizes)] = True
    if len(unique) and chosen.all():
        chosen[np.argmax(sizes)] = False
    return chosen[inverse]


def hashes(names: Iterable[str]) -> Words:
    """A 64-bit number for each name (N,), the same everywhere."""
    return np.array([hash64(name.encode()) for name in names], np.uint64)


def hash64(data: bytes) -> int:
    """A 64-bit number of some bytes, the same everywhere."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def mixed(values: Words, seed: int) -> Words:
    """Well-scattered 64-bit numbers from values and a seed (the finaliser of SplitMix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        z = values + _MIX[0] * np.uint64(seed + 1)
        z = (z ^ (z >> np.uint64(30))) * _MIX[1]
        z = (z ^ (z >> np.uint64(27))) * _MIX[2]
    scattered: Words = z ^ (z >> np.uint64(31))
    return scattered


def evenly(files: npt.NDArray[np.unsignedinteger], most: int, rng: np.random.Generator) -> Ints:
    """At most `most` of the samples, in their order: each file gives the same number, or all it has.

    `files` (N,) numbers the file of each sample.
    """
    if len(files) <= most:
        return np.arange(len(files))
    _, inverse, counts = np.unique(files, return_inverse=True, return_counts=True)
    quota = _quotas(counts, most)
    order = rng.permutation(len(files))
    order = order[np.argsort(inverse[order], kind="stable")]
    rank = np.arange(len(files)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(order[rank < quota[inverse[order]]])


def _quotas(counts: Ints, most: int) -> Ints:
    """How many each file gives: the common level at which they add up to `most`, the odd ones from the first files."""
    quota = np.zeros_like(counts)
    left = most
    while left > 0:
        room = np.flatnonzero(quota < counts)
        share = left // len(room)
        if share == 0:
            quota[room[:left]] += 1
            break
        quota[room] = np.minimum(counts[room], quota[room] + share)
        left = most - int(quota.sum())
    return quota
