"""What a set of questions looks like, in numbers."""

from collections.abc import Iterable
from dataclasses import asdict
from statistics import median
from typing import Any

from trivium.data.contamination import words_of
from trivium.data.dedup import normalised
from trivium.data.questions.groups import asked
from trivium.data.questions.read import SourceFile
from trivium.sample import Sample


def describe(samples: list[Sample]) -> dict[str, Any]:
    """Counts of distinct questions, references, thinking parts and groups; lengths in words."""
    return {
        "distinct": len({normalised(asked(sample)) for sample in samples}),
        "with_reference": sum(sample.reference is not None for sample in samples),
        "with_thinking": sum(sample.thinking is not None for sample in samples),
        "groups": len({sample.document for sample in samples}),
        "question_words": _lengths(asked(sample) for sample in samples),
        "reference_words": _lengths(sample.reference for sample in samples if sample.reference is not None),
    }


def manifest(sources: list[SourceFile], train: list[Sample], heldout: list[Sample]) -> dict[str, Any]:
    """The files that the data were put together from: name, sha256, rows, rejected, kept; and the sums."""
    kept: dict[str, int] = {}
    for sample in (*train, *heldout):
        kept[sample.origin] = kept.get(sample.origin, 0) + 1
    files = [asdict(source) | {"kept": kept.get(source.file, 0)} for source in sources]
    sums = {name: sum(file[name] for file in files) for name in ("rows", "rejected", "kept")}
    return {"files": files, "total": {"files": len(files), **sums}}


def _lengths(texts: Iterable[str | None]) -> dict[str, float]:
    lengths = [len(words_of(text or "")) for text in texts]
    return {"median": float(median(lengths)), "max": max(lengths)} if lengths else {"median": 0.0, "max": 0}
