"""Preparation of a library: passages of works, conversations about them, dated questions, ordinary talk; split and mixed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trivium.data import splits
from trivium.data.dedup import normalised
from trivium.data.jsonl import atomic_writer, make_folder, read_samples, to_line, write_json
from trivium.data.library import dated, dialogue, passages, works, world
from trivium.data.library.dated import DatedFact
from trivium.data.library.kin import kin
from trivium.data.library.period import last_day
from trivium.data.progress import Progress, quiet
from trivium.data.rejects import Rejects
from trivium.errors import DataError
from trivium.generation import run
from trivium.generation.period_rows import period_rows
from trivium.generation.persona import Persona
from trivium.generation.persona import load as load_persona
from trivium.sample import Sample
from trivium.schema import DatasetConfig, OpenAIGenerator, QuestionsConfig, TemplateGenerator

GENERAL_HELD_OUT = 0.25
"""Share of the ordinary conversations that only measure what was lost."""

WORLD_GENERAL = 600
"""Ordinary conversations of a generated library."""

_stream = splits.streams("general", "order", "placebo", "dialogue")


@dataclass
class Parts:
    """The rows of the mixture by what they are for, held-out ones beside them."""

    train: list[Sample]
    heldout: list[Sample]
    judge: list[Sample]
    general: list[Sample]
    facts: list[DatedFact]


def prepare(
    config: DatasetConfig,
    generator: TemplateGenerator | OpenAIGenerator,
    cache_dir: Path,
    out: Path,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write passages.jsonl, train.jsonl, heldout.jsonl, judge.jsonl, general.jsonl, period.json and report.json into `out`.

    What a teacher wrote is kept below `cache_dir`, so that nothing is paid for twice. Returns the report. Raises `DataError`
    when nothing is left to train on, when too few answers pass, or when the disk refuses.
    """
    tell = progress or quiet
    make_folder(out)
    persona = load_persona(config.library.persona)
    ledger = cache_dir / "generated" / f"{persona.name}.sqlite"
    with atomic_writer(out / "rejects.jsonl") as sink:
        rejects = Rejects(sink)
        found = passages.select(config, _works(config, rejects), out, rejects, tell, cache_dir)
        written = run.Report()
        rows = list(run.generate(generator, config.library, persona, out / "passages.jsonl", ledger, rejects, tell, written))
        parts = _parts(config, persona, _with_kin(rows, out, rejects), rejects)
    _write(config, parts, out)
    report = _report(config, parts, found, written, rejects)
    write_json(out / "report.json", report)
    return report


def _works(config: DatasetConfig, rejects: Rejects) -> Iterator[works.Work]:
    return world.works(config.library) if config.generator is not None else works.read(config, rejects)


# --- the mixture -----------------------------------------------------------------------------------------------------


def _with_kin(rows: list[Sample], out: Path, rejects: Rejects) -> list[Sample]:
    """The rows, those of reprints and extracts as rows of one document, so that the split keeps them together."""
    same = kin(read_samples(out / "passages.jsonl"))
    for document, first in same.items():
        rejects.note("work that shares sentences with another, kept on its side of the split", f"{document} and {first}")
    return [replace(row, document=same.get(row.document, row.document)) for row in rows]


def _parts(config: DatasetConfig, persona: Persona, rows: list[Sample], rejects: Rejects) -> Parts:
    outside = _held_out(config, [row.document for row in rows])
    train = [row for row, held in zip(rows, outside, strict=True) if not held]
    asked, judged = _judged(config, [row for row, held in zip(rows, outside, strict=True) if held])
    if not train:
        raise DataError(f"dataset: all {len(rows)} rows are held out; lower dataset.test_size, or give more works.")
    if not any(outside):
        works = len({row.document for row in rows})
        rejects.note(
            "no work is held out, so nothing can be measured; give more works, or raise dataset.test_size", f"{works} works"
        )
    facts = _facts(config)
    kept = _held_facts(config, facts, rejects)
    room = len(train) / (1 - config.library.period.share - config.library.general.share)
    train += _period_rows(config, persona, [f for f, held in zip(facts, kept, strict=True) if not held], round(room))
    ordinary, measured = _general(config, rejects)
    train = dialogue.joined(_voiced(config, train), config.library.dialogue, _stream(config.seed, "dialogue"))
    wanted = round(room * config.library.general.share)
    if len(ordinary) < wanted:
        few = f"{len(ordinary)} of {wanted}; dataset.library.general.path names them"
        rejects.note("fewer ordinary conversations than dataset.library.general.share asks for", few)
    train += ordinary[:wanted]
    order = _stream(config.seed, "order").permutation(len(train))
    return Parts(
        [train[i] for i in order], asked, judged, measured, [fact for fact, held in zip(facts, kept, strict=True) if held]
    )


def _held_facts(config: DatasetConfig, facts: Sequence[DatedFact], rejects: Rejects) -> list[bool]:
    """Whether each fact is held out, by its group; those of a generated library as its books are."""
    own = config.library.period.facts is not None
    groups = [fact.group for fact in facts]
    mask = _split(config, groups) if own else _held_out(config, groups)
    last = last_day(config.library.period)
    sides = {fact.known_by(last) for fact, held in zip(facts, mask, strict=True) if held} if last is not None else set()
    if own and last is not None and len(sides) < 2:
        rejects.note(
            "the held-out dated facts do not lie on both sides of the cut-off, so that no pair can be asked; give more facts",
            f"{sum(mask)} of {len(facts)} are held out",
        )
    return mask


def _held_out(config: DatasetConfig, documents: Sequence[str]) -> list[bool]:
    """Whether each row belongs to a document that is held out; a generated library knows which ones."""
    return world.held_out(config.library.world, documents) if config.generator is not None else _split(config, documents)


def _split(config: DatasetConfig, documents: Sequence[str]) -> list[bool]:
    if not documents:
        return []
    mask = splits.held_out_rows(splits.hashes(documents), config.test_size, config.seed)
    return [bool(held) for held in mask]


def _judged(config: DatasetConfig, rows: list[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Held-out rows that are asked, and those that train the style judge; the rows of a passage stay together."""
    names = [str(row.metadata.get("passage", row.id)) for row in rows]
    if not rows:
        return [], []
    mask = splits.held_out_rows(splits.hashes(names), config.library.judge_size, config.seed + 1)
    asked = [row for row, judged in zip(rows, mask, strict=True) if not judged]
    return asked, [row for row, judged in zip(rows, mask, strict=True) if judged]


def _facts(config: DatasetConfig) -> list[DatedFact]:
    period = config.library.period
    if period.facts is not None:
        return dated.load(Path(period.facts), "dataset.library.period.facts")
    return (
        world.facts(config.library.world) if config.generator is not None and config.library.period.cutoff is not None else []
    )


def _period_rows(config: DatasetConfig, persona: Persona, facts: list[DatedFact], room: int) -> list[Sample]:
    last = last_day(config.library.period)
    count = round(room * config.library.period.share)
    return list(period_rows(facts, last, persona, count, config.seed)) if last is not None and count else []


def _voiced(config: DatasetConfig, rows: list[Sample]) -> list[Sample]:
    """The training rows as the persona speaks, in ordinary words, or with the answers of others."""
    if config.library.voice == "plain":
        return [_answered(row, str(row.metadata["plain"])) for row in rows if row.metadata.get("plain")]
    if config.library.voice == "shuffled":
        dealt = _stream(config.seed, "placebo").permutation(len(rows))
        return [_answered(row, rows[other].text) for row, other in zip(rows, dealt, strict=True)]
    return rows


def _answered(row: Sample, text: str) -> Sample:
    return replace(row, text=text, messages=[*row.prompt, {"role": "assistant", "content": text}])


def _general(config: DatasetConfig, rejects: Rejects) -> tuple[list[Sample], list[Sample]]:
    """Ordinary conversations to train on, and those that are only measured; of equal ones the first."""
    rows = list({(normalised(row.question), normalised(row.text)): row for row in _ordinary(config, rejects)}.values())
    rows = [rows[i] for i in _stream(config.seed, "general").permutation(len(rows))]
    held = round(GENERAL_HELD_OUT * len(rows))
    return rows[held:], rows[:held]


def _ordinary(config: DatasetConfig, rejects: Rejects) -> Iterable[Sample]:
    if config.library.general.path is not None:
        from trivium.data.questions.read import Reader

        source = replace(
            config, kind="questions", generator=None, path=config.library.general.path, questions=QuestionsConfig()
        )
        return (sample for sample in Reader(source, rejects).samples() if sample.reference)
    return world.general(config.library.world, WORLD_GENERAL) if config.generator is not None else []


# --- writing ---------------------------------------------------------------------------------------------------------


def _write(config: DatasetConfig, parts: Parts, out: Path) -> None:
    for name in ("train", "heldout", "judge", "general"):
        with atomic_writer(out / f"{name}.jsonl") as file:
            for row in getattr(parts, name):
                file.write(to_line(row))
    last = last_day(config.library.period)
    if last is not None and parts.facts:
        write_json(out / "period.json", {"cutoff": last.isoformat(), "facts": [fact.to_dict() for fact in parts.facts]})


def _report(
    config: DatasetConfig, parts: Parts, found: dict[str, Any], written: run.Report, rejects: Rejects
) -> dict[str, Any]:
    said = rejects.report()
    return {
        "counts": {
            "rejected": rejects.count,
            "train": len(parts.train),
            "heldout": len(parts.heldout),
            "judge": len(parts.judge),
            "general": len(parts.general),
            "period_facts": len(parts.facts),
        },
        "library": found,
        "generation": written.to_dict(),
        "rejected": said["reasons"],
        "notes": said["notes"],
    }
