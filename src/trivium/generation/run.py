"""One run of generation: plan, write, check, leave repetitions out, count."""

import math
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from trivium.data import dedup
from trivium.data.library import period as anachronisms
from trivium.data.progress import Progress
from trivium.data.rejects import BadRow, Rejects
from trivium.errors import ConfigError, DataError
from trivium.generation.checks import Verify, problem
from trivium.generation.mixture import mixture, problems_in
from trivium.generation.openai import Teacher
from trivium.generation.persona import Persona
from trivium.generation.plan import Bools, Plan, plan
from trivium.generation.rows import Conversation, Job, row_of
from trivium.generation.template import UNTOLD, TemplateWriter
from trivium.sample import Sample
from trivium.schema import LibraryConfig, OpenAIGenerator, TemplateGenerator
from trivium.schema.library import PeriodConfig

NEAR = 0.95
"""Estimated Jaccard similarity from which two answers repeat each other."""

_BATCH = 1 << 10


class Writer(Protocol):
    """What writes conversations: the same one for a job whenever it is asked."""

    def conversation(self, job: Job, passage: Sample) -> Conversation:
        """The conversation of a job; raises `BadRow` where none passes."""


@dataclass
class Report:
    """What a run did, complete once all rows were taken. `components` has counts, `systems` rows by variant of the system
    message, `failures` rows that were left out by reason; `teacher` requests, tokens and cost.
    """

    passages: int = 0
    planned: int = 0
    written: int = 0
    components: dict[str, dict[str, int | None]] = field(default_factory=dict)
    systems: dict[str, int] = field(default_factory=dict)
    mean_answer_chars: float = 0.0
    failures: dict[str, int] = field(default_factory=dict)
    teacher: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def generate(
    generator: TemplateGenerator | OpenAIGenerator,
    library: LibraryConfig,
    persona: Persona,
    passages: Path,
    ledger: Path,
    rejects: Rejects,
    tell: Progress,
    report: Report,
) -> Iterator[Sample]:
    """Rows about the passages of a file, in their order; what is left out is counted in `rejects` and in `report`.

    Raises `ConfigError` for settings that cannot be, `DataError` where no passage fits a component or fewer than
    `min_pass_rate` of the conversations pass (passages without a sentence to tell apart), and `TeacherError` where a server
    cannot be used or the run has to stop; called again, it goes on from there.
    """
    if problems := list(problems_in(generator, library)):
        raise ConfigError(problems)
    components = mixture(persona, library.components)
    planned = plan(passages, persona, components, generator.examples_per_passage, generator.seed)
    report.passages, report.planned, report.components = planned.passages, len(planned), planned.counts()
    if not len(planned):
        names = ", ".join(part.name for part in components)
        raise DataError(f"generator: none of the {planned.passages} passages fits a component ({names}); lower their themes.")
    named = {part.name: part for part in components}
    verify: Verify = partial(problem, persona=persona, config=generator.checks, modern=_modern(library.period))
    if isinstance(generator, TemplateGenerator):
        writer = TemplateWriter(generator, persona, named, verify)
        yield from _rows(writer, planned, persona, generator.checks.min_pass_rate, rejects, tell, report)
        return
    teacher = Teacher(generator, persona, named, verify, _last_year(library.period), ledger)
    with closing(teacher):
        try:
            teacher.fill(planned.jobs(), partial(tell, "ask"))
        finally:
            report.teacher = {"requests": teacher.asked, **teacher.spent()}
        yield from _rows(teacher, planned, persona, generator.checks.min_pass_rate, rejects, tell, report)


def _last_year(period: PeriodConfig) -> int | None:
    last = anachronisms.last_day(period)
    return None if last is None else last.year


def _modern(period: PeriodConfig) -> Callable[[str], list[str]]:
    """Terms in a text that are younger than the period."""
    year = _last_year(period)
    if year is None:
        return lambda text: []
    found = anachronisms.load(period.anachronisms)
    return lambda text: found.find(text, year)


def _rows(
    writer: Writer, planned: Plan, persona: Persona, least: float, rejects: Rejects, tell: Progress, report: Report
) -> Iterator[Sample]:
    """The rows that pass. Repetitions are found first, so that nothing is held but sketches on disk."""
    with tempfile.TemporaryFile() as sketches:
        passed, failures = _sift(writer, planned, sketches, rejects, tell)
        good = passed & ~dedup.duplicates(sketches, len(passed), passed, NEAR)
    for job, _ in planned.among(passed & ~good).jobs():
        failures.add(job, BadRow("the answer repeats another row's"), rejects)
    _count(report, planned, good, failures)
    failures.require(int(good.sum()), len(planned), least)
    chars = 0
    for number, (job, passage) in enumerate(planned.among(good).jobs(), 1):
        row = row_of(job, passage, writer.conversation(job, passage), persona)
        chars += len(row.text)
        report.mean_answer_chars = round(chars / number, 1)
        tell("write", number)
        yield row


def _sift(writer: Writer, planned: Plan, sketches: BinaryIO, rejects: Rejects, tell: Progress) -> tuple[Bools, "_Failures"]:
    """Which jobs (J,) have a conversation that passes; a sketch of every answer goes to the file, an empty one's for none."""
    passed = np.zeros(len(planned), np.bool_)
    failures = _Failures()
    answers: list[bytes] = []
    for number, (job, passage) in enumerate(planned.jobs()):
        try:
            answers.append(dedup.normalised(writer.conversation(job, passage).answer))
            passed[number] = True
        except BadRow as bad:
            answers.append(b"")
            failures.add(job, bad, rejects)
        if len(answers) == _BATCH or number + 1 == len(planned):
            sketches.write(dedup.sketches(answers).tobytes())
            answers.clear()
            tell("check", number + 1)
    return passed, failures


class _Failures:
    """Rows that were left out, by reason, each with its first case."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, job: Job, bad: BadRow, rejects: Rejects) -> None:
        """Leave a row out."""
        self.reasons[bad.kind] += 1
        self._first.setdefault(bad.kind, f"{job.key}: {bad}")
        rejects.add(job.key, None, bad)

    def require(self, passed: int, planned: int, least: float) -> None:
        """Complain where too few rows are left."""
        needed = max(1, math.ceil(least * (planned - self.reasons[UNTOLD])))
        if passed >= needed:
            return
        kind, times = self.reasons.most_common(1)[0]
        raise DataError(
            f"generator: {passed} of {planned} conversations passed, at least {needed} must "
            f"(generator.checks.min_pass_rate={least:g}). Most often ({times} times) {kind}; for example {self._first[kind]}. "
            "Change the generator, the persona or generator.checks."
        )


def _count(report: Report, planned: Plan, good: Bools, failures: _Failures) -> None:
    report.written = int(good.sum())
    rows = planned.among(good)
    for name, counts in rows.counts().items():
        report.components[name]["written"] = counts["planned"]
    report.systems = rows.by_system()
    report.failures = dict(failures.reasons.most_common())
