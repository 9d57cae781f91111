"""The dataset card, and what the model card says of the data: counts, provenance, licences and digests, not the texts."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from trivium.acquire import place
from trivium.acquire.ledger import whole_lines
from trivium.artifact import Manifest, receipt
from trivium.data.jsonl import read_samples
from trivium.export.card_words import bullets, section, table
from trivium.export.job import Job
from trivium.sample import Sample
from trivium.schema import Config

SPLITS = ("train", "heldout")
LICENCE_KEYS = ("licence", "license", "rights")
NOT_STATED = "not stated"
_SIZES = {1e3: "n<1K", 1e4: "1K<n<10K", 1e5: "10K<n<100K", 1e6: "100K<n<1M", 1e7: "1M<n<10M", 1e8: "10M<n<100M"}
_OF_WORDS = ("keywords", "anachronisms", "rejected")
_SHOWN = 12
_LONGEST = 80

_STEPS = {
    "read": "read",
    "rejected": "rejected as unusable",
    "filtered": "left out by `dataset.where`",
    "left_out": "beyond `dataset.max_samples`",
    "duplicates": "near-copies of another",
    "balanced_away": "left out to balance the authority bands",
    "train": "to train on",
    "heldout": "held out",
    "judge": "held out, for the style judge",
    "general": "held out, ordinary conversations",
    "period_facts": "held out, dated facts",
}
"""Counts of a preparation, in the order of its steps."""


def dataset_card(job: Job) -> str:
    """The dataset's card in the Hub's format. The texts themselves are not in it, but for two of a generated world."""
    from huggingface_hub import DatasetCardData

    made, found = _prepared(job), licences(job)
    counts = made.metrics.get("counts", {}) if made else {}
    about = DatasetCardData(
        language="en" if job.config.dataset.generator is not None else None,
        license=_identifier(found),
        pretty_name=job.config.dataset.name,
        size_categories=_size(sum(counts.get(part, 0) for part in SPLITS)),
        task_categories=["text-generation"],
        tags=["trivium", job.config.dataset.kind],
    )
    parts = [_lead(job.config), _steps(made), _splits(made), _shares(made)]
    parts += [section("Licences", _licences(job.config, found)), _digests(made), _examples(job)]
    return "\n\n".join([f"---\n{about.to_yaml()}\n---", f"# {job.config.dataset.name}", *filter(None, parts)]) + "\n"


def summary(job: Job) -> str:
    """The section on data of a model's card."""
    made = _prepared(job)
    name = f"`{job.config.dataset.name}`: {_kind(job.config)}"
    return section("Data", name, _counts(made), _bands(made), _licences(job.config, licences(job)), _digest_table(made))


def licences(job: Job) -> Counter[str]:
    """How many samples come under each licence that the data name; by the record of what was acquired where they name none.

    Empty for a generated world.
    """
    if job.config.dataset.generator is not None:
        return Counter()
    found = Counter(_licence(sample.metadata) for sample in _samples(job))
    if set(found) <= {NOT_STATED}:
        found = Counter(_acquired(job.config)) or found
    return found


# --- what was prepared -----------------------------------------------------------------------------------------------


def _prepared(job: Job) -> Manifest | None:
    return receipt(job.prepared) if job.prepared is not None else None


def _samples(job: Job) -> Iterator[Sample]:
    paths = [job.prepared / f"{part}.jsonl" for part in SPLITS] if job.prepared is not None else []
    for path in paths:
        if path.is_file():
            yield from read_samples(path)


def _acquired(config: Config) -> Iterator[str]:
    """Licences of the items in the record of an acquisition, where one lies by the data."""
    folders = [place.folder(config.acquire)] if config.acquire.name != "none" else []
    if config.dataset.path:
        path = Path(config.dataset.path).expanduser()
        folders += [path, path.parent]
    record = next((one for folder in folders if (one := folder / "provenance.jsonl").is_file()), None)
    for _, line in whole_lines(record) if record is not None else ():
        yield _licence(orjson.loads(line))


def _licence(about: Mapping[str, Any]) -> str:
    named = next((about[key] for key in LICENCE_KEYS if isinstance(about.get(key), str) and about[key].strip()), NOT_STATED)
    return " ".join(named.split())[:_LONGEST]


# --- in words --------------------------------------------------------------------------------------------------------


def _kind(config: Config) -> str:
    if config.dataset.generator is not None:
        return f"generated deterministically as a small fictional world (`{config.dataset.generator}`)."
    kinds = {
        "documents": "documents with an estimate of their provenance.",
        "questions": "questions with reference answers.",
        "library": "conversations of a persona about passages of texts.",
    }
    return kinds[config.dataset.kind]


def _lead(config: Config) -> str:
    return (
        f"Training data of the experiment `{config.name}`: {_kind(config)} This card describes the data as they were prepared; "
        "the data themselves are not part of this repository."
    )


def _counts(made: Manifest | None) -> str:
    if made is None:
        return "The prepared data were no longer at hand when this card was written."
    counts = made.metrics.get("counts", {})
    return table(["samples", "number"], [(word, counts[key]) for key, word in _STEPS.items() if counts.get(key)])


def _steps(made: Manifest | None) -> str:
    report = made.metrics if made else {}
    reasons = table(["rejected because", "times"], report.get("rejected", {}).items())
    notes = table(["noted", "times"], [(what, note["times"]) for what, note in report.get("notes", {}).items()])
    return section("How it was prepared", _counts(made), reasons, notes, *_details(report))


def _details(report: Mapping[str, Any]) -> Iterator[str]:
    """The numbers that the preparation of questions or of a library reports, but for those of single words."""
    from trivium.summary import flatten

    for part in ("questions", "library", "generation"):
        told = {key: value for key, value in (report.get(part) or {}).items() if key not in _OF_WORDS}
        numbers = {key: value for key, value in flatten(told).items() if isinstance(value, int | float)}
        yield table([part, "value"], [(key, f"{value:g}") for key, value in numbers.items()])


def _splits(made: Manifest | None) -> str:
    counts = made.metrics.get("counts", {}) if made else {}
    rows = [(part, counts[part]) for part in ("train", "heldout", "judge", "general") if part in counts]
    return (
        section("Splits", "Samples of one document never stand on both sides.", table(["split", "samples"], rows))
        if rows
        else ""
    )


def _bands(made: Manifest | None) -> str:
    bands = _distribution(made).get("bands", {})
    return table(["authority band", "share of the training samples"], [(band, f"{share:.1%}") for band, share in bands.items()])


def _shares(made: Manifest | None) -> str:
    found = _distribution(made)
    spreads = {"authority": "authority, 0 to 0.99", "entropy": "provenance entropy, bits"}
    rows = [
        (word, *(f"{found[key][end]:.2f}" for end in ("mean", "min", "max"))) for key, word in spreads.items() if key in found
    ]
    years = found.get("years", {})
    span = f"Years known of {years['known']} samples: {years['min']} to {years['max']}." if years.get("known") else ""
    sources = found.get("source_types", [])
    types = [(s["name"], s["count"], f"{s['authority']:.2f}", f"{s['entropy']:.2f}") for s in sources[:_SHOWN]]
    kinds = table(["source type", "samples", "mean authority", "mean entropy, bits"], types)
    more = f"and {len(sources) - _SHOWN} further source types" if len(sources) > _SHOWN else ""
    return section("Provenance", _bands(made), table(["score", "mean", "least", "most"], rows), span, kinds, more)


def _distribution(made: Manifest | None) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (made.metrics if made else {}).get("distribution", {})
    return found


def _licence_table(found: Counter[str]) -> str:
    rows = found.most_common(_SHOWN)
    rest = found.total() - sum(count for _, count in rows)
    return table(["licence named by the data", "samples"], [*rows, *([("others", rest)] if rest else [])])


def _licences(config: Config, found: Counter[str]) -> str:
    if config.dataset.generator is not None:
        return "The texts were generated; no licence of others applies to them."
    return "\n\n".join(filter(None, [_licence_table(found), "Licences are as the data name them; nobody checked them."]))


def _digests(made: Manifest | None) -> str:
    return section("Digests", _digest_table(made))


def _digest_table(made: Manifest | None) -> str:
    return table(["file", "sha256"], [(name, f"`{sha}`") for name, sha in (made.files if made else {}).items()])


def _examples(job: Job) -> str:
    if job.config.dataset.generator is None:
        return ""
    return section("Two generated samples", bullets(_text(sample) for sample in islice(_samples(job), 2)))


def _text(sample: Sample) -> str:
    turns = [f"**{turn['role']}:** {turn['content']}" for turn in sample.messages or []]
    return " ".join((" ".join(turns) or sample.text).split())


def _identifier(found: Counter[str]) -> str:
    """The one licence that all data name, if it is one that the Hub could know; else `other`."""
    named = next(iter(found), "").lower()
    return named if len(found) == 1 and named.replace("-", "").replace(".", "").isalnum() else "other"


def _size(samples: int) -> str:
    return next((name for limit, name in _SIZES.items() if samples < limit), "n>100M")
