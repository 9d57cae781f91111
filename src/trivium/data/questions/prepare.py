"""Preparation of questions: read, validate, filter, drop copies, split by group, shuffle, write. All of it in memory."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from trivium.data import splits
from trivium.data.dedup import normalised
from trivium.data.jsonl import atomic_writer, make_folder, to_line, write_json
from trivium.data.progress import TICK, Progress, quiet, write_lines
from trivium.data.questions import report
from trivium.data.questions.groups import asked, groups
from trivium.data.questions.read import Reader
from trivium.data.questions.text_export import FORMATS
from trivium.data.rejects import BadRow, Rejects
from trivium.data.where import Where
from trivium.errors import DataError
from trivium.sample import Sample
from trivium.schema import DatasetConfig

READ, GROUP = "reading", "near-equal questions"

_stream = splits.streams("max_samples", "order")


def prepare(config: DatasetConfig, out: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Write train.jsonl, heldout.jsonl, rejects.jsonl, sources.json and report.json, and the text exports, into `out`.

    Returns the report. Raises `DataError` when there is nothing to train on, when nothing can be held out although
    `dataset.test_size` asks for it, or when the disk refuses; no file is then half-written.
    """
    tell = progress or quiet
    make_folder(out)
    with atomic_writer(out / "rejects.jsonl") as sink:
        rejects = Rejects(sink)
        reader = Reader(config, rejects)
        samples, counts = _read(config, reader, rejects, tell)
    taken = _taken(config, samples)
    kept = _without_copies(taken) if config.dedup.enabled else taken
    counts |= {"left_out": len(samples) - len(taken), "duplicates": len(taken) - len(kept), "balanced_away": 0}
    tell(GROUP, len(kept))
    train, heldout = _split(config, kept, rejects)
    write_lines(out / "train.jsonl", map(to_line, train), tell)
    write_lines(out / "heldout.jsonl", map(to_line, heldout), tell)
    _export(config, out, train, rejects, tell)
    write_json(out / "sources.json", report.manifest(reader.sources, train, heldout))
    said = rejects.report()
    found = {
        "counts": counts | {"train": len(train), "heldout": len(heldout)},
        "questions": report.describe(train),
        "heldout": report.describe(heldout),
        "rejected": said["reasons"],
        "notes": said["notes"],
    }
    write_json(out / "report.json", found)
    return found


def _read(config: DatasetConfig, reader: Reader, rejects: Rejects, tell: Progress) -> tuple[list[Sample], dict[str, int]]:
    """The samples that meet `dataset.where`, and the counts of what was read."""
    where, read, kept = Where(config.where), 0, []
    for sample in reader.samples():
        read += 1
        if read % TICK == 0:
            tell(READ, read)
        if where.keeps(sample):
            kept.append(sample)
    tell(READ, read)
    where.check()
    if not kept:
        raise DataError(f"dataset.where: none of {read} questions meets {dict(config.where)}; widen it.")
    return kept, {"read": read, "rejected": rejects.count, "filtered": read - len(kept)}


def _taken(config: DatasetConfig, samples: list[Sample]) -> list[Sample]:
    if config.max_samples is None:
        return samples
    numbers: dict[str, int] = {}
    files = np.array([numbers.setdefault(sample.origin, len(numbers)) for sample in samples], np.uint32)
    return [samples[i] for i in splits.evenly(files, config.max_samples, _stream(config.seed, "max_samples"))]


def _without_copies(samples: list[Sample]) -> list[Sample]:
    """The first of all samples with the same question and the same reference, but for case and white space."""
    first: dict[tuple[bytes, bytes | None], Sample] = {}
    for sample in samples:
        reference = None if sample.reference is None else normalised(sample.reference)
        first.setdefault((normalised(asked(sample)), reference), sample)
    return list(first.values())


def _split(config: DatasetConfig, samples: list[Sample], rejects: Rejects) -> tuple[list[Sample], list[Sample]]:
    """Training and held-out samples in their final order, `document` naming the group of each."""
    if config.generator is not None:
        outside = np.array([sample.metadata.get("split") == "heldout" for sample in samples])
    else:
        firsts = groups(samples)
        samples = [replace(sample, document=samples[i].document) for sample, i in zip(samples, firsts, strict=True)]
        outside = _held_out(config, firsts, samples, rejects)
    order = _stream(config.seed, "order").permutation(len(samples))
    train, heldout = ([samples[i] for i in order if outside[i] == side] for side in (False, True))
    if not train:
        raise DataError(f"dataset: all {len(samples)} questions are held out; lower dataset.test_size or widen dataset.where.")
    return train, heldout


def _held_out(
    config: DatasetConfig, firsts: npt.NDArray[np.int64], samples: list[Sample], rejects: Rejects
) -> npt.NDArray[np.bool_]:
    distinct, sizes = np.unique(firsts, return_counts=True)
    if config.test_size > 0 and len(distinct) == 1:
        raise DataError(
            f"dataset.test_size: set to {config.test_size}, but all {len(samples)} questions belong to one group (one "
            "document, one value of dataset.questions.group, near-equal questions or one long answer), which is never split; "
            "add questions or group by another column, or set dataset.test_size=0 to hold nothing out."
        )
    mask = splits.held_out_rows(splits.hashes(s.document for s in samples), config.test_size, config.seed)
    wanted = config.test_size * len(samples)
    if not wanted / 2 <= mask.sum() <= max(1, 2 * wanted):
        rejects.note(
            "groups are too large to hold out what dataset.test_size asks for",
            f"{mask.mean():.1%} held out instead of {config.test_size:.1%}; the largest group has {sizes.max()} questions",
        )
    return mask


def _export(config: DatasetConfig, out: Path, train: list[Sample], rejects: Rejects, tell: Progress) -> None:
    for name in config.questions.text_export:
        write_lines(out / f"train.{name}.jsonl", _texts(config, name, train, rejects), tell)


def _texts(config: DatasetConfig, name: str, train: list[Sample], rejects: Rejects) -> Iterator[bytes]:
    """Lines of a text export; what the format cannot hold is left out of it and noted."""
    for sample in train:
        try:
            text = FORMATS[name](sample, config.chat)
        except BadRow as problem:
            rejects.note(f"row left out of the {name} text: {problem.kind}", sample.id)
            continue
        yield orjson.dumps({"text": text}, option=orjson.OPT_APPEND_NEWLINE)
