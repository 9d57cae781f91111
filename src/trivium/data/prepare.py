"""Preparation: read, score, filter, drop copies, split by document, balance, shuffle, write.

Texts stay on disk: the first pass streams scored rows into a spool and keeps some columns of each, the decisions are taken on
the columns, the second pass copies the chosen rows to their files.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trivium.data import dedup, rebalance, report, splits
from trivium.data.gate import judge
from trivium.data.jsonl import atomic_writer, to_line, write_json
from trivium.data.progress import TICK, Progress, quiet, write_lines
from trivium.data.provenance import Scorer
from trivium.data.rejects import Rejects
from trivium.data.sources import documents
from trivium.data.spool import SPLITS, Spool, Table
from trivium.data.where import Where
from trivium.errors import DataError
from trivium.sample import Sample
from trivium.schema import DatasetConfig

READ, COPIES = "scoring", "near-duplicates"

_stream = splits.streams("max_samples", "rebalance", "order", "placebo")

Ints = npt.NDArray[np.int64]


@dataclass
class Decisions:
    """Which samples go where, in their final order, and how that came about."""

    train: Ints
    heldout: Ints
    counts: dict[str, int] = field(default_factory=dict)
    balance: rebalance.Outcome | None = None
    notes: dict[str, Any] = field(default_factory=dict)


def prepare(config: DatasetConfig, out: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Write train.jsonl, heldout.jsonl, rejects.jsonl and report.json (and world.json of a generated world) into `out`.

    Returns the report. Raises `DataError` when there is nothing to train on or the disk refuses; no file is then half-written.
    """
    tell = progress or quiet
    with Spool(out, config.dedup.enabled) as spool:
        with atomic_writer(out / "rejects.jsonl") as sink:
            rejects = Rejects(sink)
            counts = _score(config, spool, rejects, tell)
        table = spool.close()
        decisions = _decide(config, spool, table, tell)
        facts_of = _dealt(config, decisions.train)
        write_lines(out / "train.jsonl", _lines(spool, decisions.train, facts_of), tell)
        write_lines(out / "heldout.jsonl", _lines(spool, decisions.heldout, decisions.heldout), tell)
    found = _report(config, table, decisions, counts, rejects)
    write_json(out / "report.json", found)
    if config.generator is not None:
        from trivium.data.micro_archive import facts

        write_json(out / "world.json", {"facts": facts(config.world)})
    return found


# --- first pass ------------------------------------------------------------------------------------------------------


def _score(config: DatasetConfig, spool: Spool, rejects: Rejects, tell: Progress) -> dict[str, int]:
    """Read, score and filter everything into the spool; returns the counts of it."""
    scorer, where, read = Scorer(config.provenance), Where(config.where), 0
    for sample in documents(config, rejects):
        read += 1
        if read % TICK == 0:
            tell(READ, read)
        _apply(scorer, sample)
        if where.keeps(sample):
            spool.add(sample, _given_split(config, sample))
    tell(READ, read)
    where.check()
    if not spool.count:
        raise DataError(f"dataset.where: none of {read} samples meets {dict(config.where)}; widen it.")
    return {"read": read, "rejected": rejects.count, "filtered": read - spool.count}


def _apply(scorer: Scorer, sample: Sample) -> None:
    found = scorer.score(sample)
    sample.authority, sample.entropy = round(found.authority, 6), round(found.entropy, 6)
    sample.trivium, sample.year, sample.source_type = found.trivium, found.year, found.source_type
    sample.evidence = {name: round(value, 6) for name, value in found.evidence.items()}


def _given_split(config: DatasetConfig, sample: Sample) -> str:
    """A generated world knows on which side a document belongs."""
    split = sample.metadata.get("split") if config.generator is not None else None
    return split if split in SPLITS else ""


# --- decisions -------------------------------------------------------------------------------------------------------


def _decide(config: DatasetConfig, spool: Spool, table: Table, tell: Progress) -> Decisions:
    taken = np.arange(spool.count)
    if config.max_samples is not None:
        taken = splits.evenly(table.columns["file"], config.max_samples, _stream(config.seed, "max_samples"))
    kept = _without_copies(config, spool, taken, tell)
    outside = _held_out(config, table, kept)
    train, heldout = kept[~outside], kept[outside]
    if not len(train):
        raise DataError(f"dataset: all {len(kept)} samples are held out; lower dataset.test_size or widen dataset.where.")
    decisions = Decisions(train, heldout)
    decisions.counts = {"left_out": spool.count - len(taken), "duplicates": len(taken) - len(kept)}
    if config.test_size > 0 and not len(heldout):
        decisions.notes["nothing is held out: all samples belong to one document"] = {"times": 1, "first": ""}
    if config.rebalance.enabled:
        decisions.balance = rebalance.choose(report.band_counts(table, train), config.rebalance)
        mask = rebalance.pick(table.columns["band"][train], decisions.balance.kept, _stream(config.seed, "rebalance"))
        decisions.counts["balanced_away"] = len(train) - int(mask.sum())
        decisions.train = train[mask]
    order = _stream(config.seed, "order")
    decisions.train, decisions.heldout = order.permutation(decisions.train), order.permutation(heldout)
    return decisions


def _without_copies(config: DatasetConfig, spool: Spool, taken: Ints, tell: Progress) -> Ints:
    if not config.dedup.enabled:
        return taken
    among = np.zeros(spool.count, np.bool_)
    among[taken] = True
    tell(COPIES, spool.count)
    copies = dedup.duplicates(spool.sketches, spool.count, among, config.dedup.threshold)
    return taken[~copies[taken]]


def _held_out(config: DatasetConfig, table: Table, kept: Ints) -> npt.NDArray[np.bool_]:
    split = table.columns["split"][kept]
    if split.any():
        given: npt.NDArray[np.bool_] = split == SPLITS.index("heldout")
        return given
    return splits.held_out(table.columns["document"][kept], config.test_size, config.seed)


def _dealt(config: DatasetConfig, train: Ints) -> Ints:
    """Whose provenance each training row gets: its own, or for the placebo anybody's, each once."""
    return _stream(config.seed, "placebo").permutation(train) if config.provenance.shuffle else train


# --- second pass -----------------------------------------------------------------------------------------------------


def _lines(spool: Spool, chosen: Ints, facts_of: Ints) -> Iterator[bytes]:
    for index, other in zip(chosen.tolist(), facts_of.tolist(), strict=True):
        if index == other:
            yield spool.line(index)
            continue
        sample, facts = spool.sample(index), spool.sample(other)
        sample.authority, sample.entropy, sample.evidence = facts.authority, facts.entropy, facts.evidence
        yield to_line(sample)


# --- the report ------------------------------------------------------------------------------------------------------


def _report(
    config: DatasetConfig, table: Table, decisions: Decisions, counts: dict[str, int], rejects: Rejects
) -> dict[str, Any]:
    training = report.distribution(table, decisions.train)
    said = rejects.report()
    split = {"heldout": len(decisions.heldout), "train": len(decisions.train)}
    return {
        "counts": counts | {"left_out": 0, "duplicates": 0, "balanced_away": 0} | decisions.counts | split,
        "distribution": training,
        "heldout": report.distribution(table, decisions.heldout),
        "rebalance": decisions.balance._asdict() if decisions.balance is not None else None,
        "gate": judge(training, len(decisions.train), config.targets, config.rebalance),
        "rejected": said["reasons"],
        "notes": said["notes"] | decisions.notes,
    }
