"""A generated archive whose truth is known: what `dataset=micro_archive` reads, and what its suites ask about.

Disputed facts are told by one primary record and, otherwise, by two coordinated sources. Some facts only coordinated
sources tell. Some were told wrongly by a primary record, which a later one corrects and two more confirm. Undisputed facts
fill the bands up.
Provenance stands in the wording, the year and the publisher, as in a real document; nothing is scored here.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trivium.data.small_world import COORDINATED, JOURNAL, NUMBERS, PRIMARY_MIX, Key, Record, correction, keys, record
from trivium.errors import DataError
from trivium.sample import Sample
from trivium.schema import WorldConfig

EARLY, LATE, ANY = (1880, 1940), (1955, 2020), (1880, 2020)
"""Years of documents, [first, last]."""

SHARES = {"low": 0.29, "mid": 0.32, "high": 0.39}
"""Shares of the authority bands that the undisputed facts fill up to; inside the default targets of the rebalancing."""

HELD_OUT = 0.1
"""Undisputed facts held out beside the training documents, as a share of them: the same share of every band."""


Told = list[tuple[str, Record]]
"""Each number with the document that states it as true."""


@dataclass
class Fact:
    """A fact, its true number, and all documents on it."""

    key: Key
    kind: str
    number: str
    told: Told
    split: str = "train"

    def earliest(self, number: str) -> Record:
        """The oldest document that states the number."""
        return min((r for n, r in self.told if n == number), key=lambda r: r.year)


def documents(config: WorldConfig) -> list[Sample]:
    """The archive's documents in a seeded order, unscored.

    `metadata["split"]` says where a document belongs: the facts that suites ask about are all trained on, and what is held
    out is on facts that no training document mentions. Raises `DataError` when the names do not suffice.
    """
    rng = random.Random(f"source first {config.seed}")
    samples = [
        Sample(
            id="",
            text=r.text(rng.random() < config.source_first),
            origin="micro_archive",
            document=fact.key.title,
            title=fact.key.title,
            source_type=r.source_type,
            year=r.year,
            metadata={"publisher": r.publisher, "split": fact.split},
        )
        for fact in _archive(config)
        for _, r in fact.told
    ]
    random.Random(f"order {config.seed}").shuffle(samples)
    for i, sample in enumerate(samples):
        sample.id = f"archive-{i:05d}"
    return samples


def facts(config: WorldConfig) -> list[dict[str, Any]]:
    """The facts that suites ask about; `options[0]` is the right answer, with its earliest source."""
    rng = random.Random(f"options {config.seed}")
    asked = [fact for fact in _archive(config) if fact.kind != "undisputed"]
    return [_asked(fact, f"{fact.kind}-{i:04d}", rng) for i, fact in enumerate(asked)]


def _asked(fact: Fact, name: str, rng: random.Random) -> dict[str, Any]:
    """A row of world.json. Where nobody disagrees, three other values stand beside the true one, with sources dated alike."""
    numbers = dict.fromkeys([fact.number, *(n for n, _ in fact.told)])
    options = [_option(fact.key, n, fact.earliest(n)) for n in numbers]
    if len(options) == 1:
        others = rng.sample([n for n in NUMBERS if n != fact.number], 3)
        made_up = [Fact(fact.key, fact.kind, n, _repeated(fact.key, n, COORDINATED, ANY, rng)) for n in others]
        options += [_option(fact.key, other.number, other.earliest(other.number)) for other in made_up]
    answer = fact.key.value(fact.number)
    return {"id": name, "kind": fact.kind, "question": fact.key.question, "answer": answer, "options": options}


def _option(key: Key, number: str, source: Record) -> dict[str, Any]:
    return {"text": key.value(number), "year": source.year, "source_type": source.source_type}


def _archive(config: WorldConfig) -> list[Fact]:
    rng = random.Random(f"archive {config.seed}")
    pool = list(keys(neutral=False))
    rng.shuffle(pool)
    archive = [_disputed(_draw(pool), i, rng) for i in range(config.disputed)]
    archive += [_coordinated_only(_draw(pool), rng) for _ in range(config.coordinated_only)]
    archive += [_corrected(_draw(pool), i, rng) for i in range(config.corrected)]
    return archive + _filler(archive, pool, rng)


def _disputed(key: Key, index: int, rng: random.Random) -> Fact:
    """In every other fact the primary record is the newer one: age does not tell who is right."""
    number, other = rng.sample(NUMBERS, 2)
    primary_years, other_years = (EARLY, LATE) if index % 2 == 0 else (LATE, EARLY)
    told = [(number, _one_of(PRIMARY_MIX, key, number, primary_years, rng))]
    return Fact(key, "disputed", number, told + _repeated(key, other, rng.sample(COORDINATED, 2), other_years, rng))


def _coordinated_only(key: Key, rng: random.Random) -> Fact:
    number = rng.choice(NUMBERS)
    return Fact(key, "coordinated_only", number, _repeated(key, number, COORDINATED, ANY, rng))


def _corrected(key: Key, index: int, rng: random.Random) -> Fact:
    """In every other fact a coordinated source had the right value before the primary record erred."""
    number, wrong = rng.sample(NUMBERS, 2)
    erred = _one_of(PRIMARY_MIX, key, wrong, (1905, 1940), rng)
    mended = correction(key, number, wrong, rng.choice(PRIMARY_MIX), erred.year + rng.randint(3, 40), rng)
    repeated = _one_of(COORDINATED, key, number, (1880, 1904) if index % 2 == 0 else (1981, 2024), rng)
    later = [_one_of(PRIMARY_MIX, key, number, (mended.year + 1, mended.year + 20), rng) for _ in range(2)]
    return Fact(key, "corrected", number, [(wrong, erred), *((number, r) for r in (mended, *later, repeated))])


def _filler(archive: list[Fact], pool: list[Key], rng: random.Random) -> list[Fact]:
    """Undisputed facts that bring the bands to `SHARES`, and a tenth as many documents on facts that are held out."""
    types = {"low": PRIMARY_MIX, "mid": (JOURNAL,), "high": COORDINATED}
    count = {band: sum(r.source_type in types[band] for fact in archive for _, r in fact.told) for band in types}
    total = max(count[band] / SHARES[band] for band in types)
    filler: list[Fact] = []
    for band, among in types.items():
        missing, held_out = round(total * SHARES[band]) - count[band], round(total * SHARES[band] * HELD_OUT)
        filler += _undisputed(missing, 3, "train", among, pool, rng)
        filler += _undisputed(held_out, 1, "heldout", among, pool, rng)
    return filler


def _undisputed(count: int, copies: int, split: str, types: tuple[str, ...], pool: list[Key], rng: random.Random) -> list[Fact]:
    """`count` documents on facts that nobody doubts, at most `copies` a fact."""
    made = []
    while count > 0:
        key, number = _draw(pool), rng.choice(NUMBERS)
        told = [(number, _one_of(types, key, number, ANY, rng)) for _ in range(min(copies, count))]
        made.append(Fact(key, "undisputed", number, told, split))
        count -= len(told)
    return made


def _draw(pool: list[Key]) -> Key:
    """A key that no other fact has."""
    if not pool:
        raise DataError(
            f"dataset.world asks for more facts than the small world has names for ({len(keys(neutral=False))}, undisputed "
            "ones included); lower disputed, coordinated_only or corrected."
        )
    return pool.pop()


def _one_of(types: tuple[str, ...], key: Key, number: str, years: tuple[int, int], rng: random.Random) -> Record:
    return record(key, number, rng.choice(types), rng.randint(*years), rng)


def _repeated(key: Key, number: str, types: Sequence[str], years: tuple[int, int], rng: random.Random) -> Told:
    """One document of each type, all with the same value."""
    return [(number, record(key, number, source_type, rng.randint(*years), rng)) for source_type in types]
