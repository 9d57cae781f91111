"""Preparation: read, score, filter, drop copies, split by document, balance, shuffle, write.

Texts stay on disk: the first pass streams scored rows into a scratch file and keeps some 70 bytes a sample, the decisions are
taken on those columns, the second pass copies the chosen rows to their files.
"""

import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import orjson

from trivium.data import dedup, rebalance, sources
from trivium.data.gate import judge
from trivium.data.jsonl import atomic_writer
from trivium.data.lexicon import TRIVIUM
from trivium.data.provenance import Scorer
from trivium.data.rejects import Rejects
from trivium.data.where import Where
from trivium.errors import DataError
from trivium.sample import Sample
from trivium.schema import BANDS, DatasetConfig

BATCH = 256
Progress = Callable[[str, int], None]
Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass
class Columns:
    """What is kept of each sample while its text lies on disk; `split` is 1 for held out."""

    offset: "array[int]" = field(default_factory=lambda: array("q"))
    authority: "array[float]" = field(default_factory=lambda: array("f"))
    entropy: "array[float]" = field(default_factory=lambda: array("f"))
    split: "array[int]" = field(default_factory=lambda: array("b"))
    trivium: "array[int]" = field(default_factory=lambda: array("b"))
    source: "array[int]" = field(default_factory=lambda: array("h"))
    keys: list[dedup.Keys] = field(default_factory=list)
    sources: dict[str, int] = field(default_factory=dict)
    tags: dict[str, int] = field(default_factory=lambda: {tag: i for i, tag in enumerate(TRIVIUM)})

    def add(self, sample: Sample, offset: int, held_out: bool) -> None:
        """One more sample, whose row begins at `offset` bytes."""
        self.offset.append(offset)
        self.authority.append(sample.authority or 0.0)
        self.entropy.append(sample.entropy or 0.0)
        self.split.append(held_out)
        self.trivium.append(self.tags.setdefault(sample.trivium, len(self.tags)))
        self.source.append(self.sources.setdefault(sample.source_type, len(self.sources)))


def prepare(config: DatasetConfig, out: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Write train.jsonl, heldout.jsonl, rejects.jsonl and report.json (and world.json of a generated world) into `out`.

    Returns the report. Raises `DataError` when nothing usable is left or the disk refuses.
    """
    rejects, counts = Rejects(), Counter[str]()
    scratch = out / ".scored.jsonl"
    try:
        columns = _score(config, scratch, rejects, counts, progress or (lambda step, done: None))
        with scratch.open("rb") as rows:
            keep = _without_copies(columns, rows, config, counts)
            train, heldout, outcome = _divide(columns, keep, config)
            _write(rows, out / "train.jsonl", columns, train, _dealt(columns, train, config))
            _write(rows, out / "heldout.jsonl", columns, heldout, None)
    except OSError as error:
        raise DataError(
            f"cannot prepare in {out}: {(error.strerror or str(error)).lower()}; set cache_dir=… to another disk."
        ) from error
    finally:
        scratch.unlink(missing_ok=True)
    counts.update(train=len(train), heldout=len(heldout), rejected=rejects.count)
    report = _report(config, columns, train, counts, outcome, rejects)
    _write_facts(config, out, report, rejects)
    return report


# --- first pass ------------------------------------------------------------------------------------------------------


def _score(config: DatasetConfig, scratch: Path, rejects: Rejects, counts: "Counter[str]", progress: Progress) -> Columns:
    scorer, where, columns = Scorer(config.provenance), Where(config.where), Columns()
    last: Sample | None = None
    texts: list[str] = []
    with scratch.open("wb") as file:
        offset = 0
        for sample in sources.documents(config, rejects):
            counts["read"] += 1
            last = sample
            _apply(scorer, sample)
            if not where.keeps(sample):
                counts["filtered"] += 1
                continue
            columns.add(sample, offset, _held_out(sample, config))
            offset += file.write(orjson.dumps(sample.to_dict(), option=orjson.OPT_APPEND_NEWLINE))
            if config.dedup.enabled:
                texts.append(dedup.normalised(_words(sample)))
            if len(texts) == BATCH:
                columns.keys.append(dedup.band_keys(texts))
                texts.clear()
                progress("scoring", counts["read"])
    if texts:
        columns.keys.append(dedup.band_keys(texts))
    _require_some(config, columns, rejects, counts, where, last)
    return columns


def _apply(scorer: Scorer, sample: Sample) -> None:
    found = scorer.score(sample)
    sample.authority, sample.entropy = round(found.authority, 6), round(found.entropy, 6)
    sample.trivium, sample.year = found.trivium, found.year
    sample.evidence = {name: round(value, 6) for name, value in found.evidence.items()}


def _held_out(sample: Sample, config: DatasetConfig) -> bool:
    """By the hash of the document, so that siblings stay together; a generated world says which of its facts are asked about."""
    if config.generator is not None and "split" in sample.metadata:
        return bool(sample.metadata["split"] == "heldout")
    return zlib.crc32(f"{config.seed}:{sample.document}".encode()) < config.test_size * 2**32


def _words(sample: Sample) -> str:
    return sample.text or "\n".join(message["content"] for message in sample.messages or ())


def _require_some(
    config: DatasetConfig, columns: Columns, rejects: Rejects, counts: "Counter[str]", where: Where, last: Sample | None
) -> None:
    if counts["read"]:
        where.check(last)
    if len(columns.offset):
        return
    if counts["filtered"]:
        raise DataError(f"dataset.where: none of {counts['filtered']} samples meets {dict(config.where)}; widen it.")
    reasons = f" {rejects.count} rows were rejected ({rejects.first()})" if rejects.count else ""
    raise DataError(f"dataset.path: {config.path} holds no usable text;{reasons or ' every file is empty'}.")


# --- decisions -------------------------------------------------------------------------------------------------------


def _without_copies(columns: Columns, rows: BinaryIO, config: DatasetConfig, counts: "Counter[str]") -> Indices:
    kept = np.arange(len(columns.offset))
    if config.max_samples is not None and config.max_samples < len(kept):
        kept = np.unique(np.linspace(0, len(kept) - 1, config.max_samples).round().astype(np.int64))
    if not config.dedup.enabled:
        return kept
    keys = np.concatenate(columns.keys)[kept]
    copies = dedup.duplicates(keys, lambda i: _words(_row(rows, columns, int(kept[i]))), config.dedup.threshold)
    counts["duplicates"] = int(copies.sum())
    return kept[~copies]


def _row(rows: BinaryIO, columns: Columns, index: int) -> Sample:
    rows.seek(columns.offset[index])
    return Sample.from_dict(orjson.loads(rows.readline()))


def _divide(columns: Columns, keep: Indices, config: DatasetConfig) -> tuple[Indices, Indices, rebalance.Outcome | None]:
    """Training and held-out rows in their final order, and how the balancing went."""
    held_out = np.frombuffer(columns.split, np.int8)[keep].astype(np.bool_)
    train, heldout = keep[~held_out], keep[held_out]
    outcome = None
    if config.rebalance.enabled:
        bands = band_codes(np.frombuffer(columns.authority, np.float32)[train])
        counts = {band: int((bands == code).sum()) for code, band in enumerate(BANDS)}
        outcome = rebalance.choose(counts, config.rebalance)
        train = train[rebalance.pick(bands, outcome.kept, config.seed)]
    return np.random.default_rng(config.seed).permutation(train), heldout, outcome


def band_codes(authority: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
    """Indices into `BANDS` (N,) of authorities; the same borders as `sample.band`."""
    rounded = np.round(authority.astype(np.float64), 6)
    return (rounded >= 0.3).astype(np.int8) + (rounded > 0.7).astype(np.int8)


def _dealt(columns: Columns, train: Indices, config: DatasetConfig) -> Indices | None:
    """For the placebo: whose provenance each training row gets."""
    return np.random.default_rng(config.seed + 1).permutation(train) if config.provenance.shuffle else None


# --- second pass -----------------------------------------------------------------------------------------------------


def _write(rows: BinaryIO, path: Path, columns: Columns, chosen: Indices, dealt: Indices | None) -> None:
    with atomic_writer(path) as file:
        if dealt is None:
            file.writelines(_lines(rows, columns, chosen))
            return
        for index, other in zip(chosen.tolist(), dealt.tolist(), strict=True):
            sample, facts = _row(rows, columns, index), _row(rows, columns, other)
            sample.authority, sample.entropy, sample.evidence = facts.authority, facts.entropy, facts.evidence
            file.write(orjson.dumps(sample.to_dict(), option=orjson.OPT_APPEND_NEWLINE))


def _lines(rows: BinaryIO, columns: Columns, chosen: Indices) -> Iterator[bytes]:
    for index in chosen.tolist():
        rows.seek(columns.offset[index])
        yield rows.readline()


# --- the report ------------------------------------------------------------------------------------------------------


def _report(
    config: DatasetConfig,
    columns: Columns,
    train: Indices,
    counts: "Counter[str]",
    outcome: rebalance.Outcome | None,
    rejects: Rejects,
) -> dict[str, Any]:
    distribution = _distribution(columns, train)
    return {
        "counts": {name: counts[name] for name in ("read", "rejected", "filtered", "duplicates", "heldout", "train")},
        "distribution": distribution,
        "rebalance": outcome._asdict() if outcome is not None else None,
        "gate": judge(distribution, len(train), config.targets, config.rebalance),
        "rejected": dict(rejects.reasons),
        "notes": dict(rejects.notes),
    }


def _distribution(columns: Columns, chosen: Indices) -> dict[str, Any]:
    authority = np.frombuffer(columns.authority, np.float32)[chosen]
    entropy = np.frombuffer(columns.entropy, np.float32)[chosen].astype(np.float64)
    tags = np.frombuffer(columns.trivium, np.int8)[chosen]
    kinds = np.frombuffer(columns.source, np.int16)[chosen]
    bands = band_codes(authority)
    total = max(1, len(chosen))
    spread = (
        {"mean": entropy.mean(), "min": entropy.min(), "max": entropy.max()}
        if len(chosen)
        else dict.fromkeys(("mean", "min", "max"), 0)
    )
    return {
        "bands": {band: int((bands == code).sum()) / total for code, band in enumerate(BANDS)},
        "trivium": {tag: int((tags == code).sum()) / total for tag, code in columns.tags.items()},
        "entropy": {name: round(float(value), 6) for name, value in spread.items()},
        "authority_mean": float(authority.mean()) if len(chosen) else 0.0,
        "source_types": {kind: int((kinds == code).sum()) for kind, code in columns.sources.items()},
    }


def _write_facts(config: DatasetConfig, out: Path, report: dict[str, Any], rejects: Rejects) -> None:
    rejects.write(out / "rejects.jsonl")
    with atomic_writer(out / "report.json") as file:
        file.write(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    if config.generator is not None:
        from trivium.data.micro_archive import facts

        with atomic_writer(out / "world.json") as file:
            file.write(orjson.dumps({"facts": facts(config.world)}, option=orjson.OPT_INDENT_2))
