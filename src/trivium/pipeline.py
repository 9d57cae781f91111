"""A run from its configuration to `result.json`: the arms walk through the stages, and one table compares them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from trivium import drift, stages, summary
from trivium.arms import Arm
from trivium.artifact import MANIFEST, write_json
from trivium.backends import checkpoints
from trivium.backends.lines import CHECKPOINTS
from trivium.console import Screen, console
from trivium.errors import Pruned
from trivium.recording import recorded, tell_inputs, tell_origin
from trivium.result import FINISHED, Result, words_of
from trivium.schema import Config, FullAdapter, GrpoMethod, NoneConfig, PersonaEvaluation
from trivium.session import Session, Work, works_of
from trivium.tracking import open_tracker
from trivium.trial import Trial

if TYPE_CHECKING:
    from trivium.evaluation import EvalItems, Scores
    from trivium.evaluation.probe import Watch
    from trivium.export.job import Job

ESTIMATE = "trial/estimate"
"""The objective of a trial, estimated while it trains."""


def run(
    config: Config,
    arms: list[Arm],
    out: Path,
    label: str,
    trial: Trial | None = None,
    after: "Callable[[Session], None] | None" = None,
) -> Result:
    """`task=run`: every stage asked for, then the summary.

    As a trial of a search, the run reports estimates of the objective while its main arm trains, and may go without the audits
    before it. `after` has the last word when all stages are done. Raises the `TriviumError` that ended the run, `Pruned` among
    them; `result.json` tells the same.
    """
    result = Result(config.task, config.name) if config.from_run is None else Result.taken_up(out)
    place, known = (trial.place if trial else None), result.mlflow_run_id
    kept = result.status if result.status in FINISHED else None
    with (
        recorded(config, out, result, arms) as tags,
        _screen(out, trial) as screen,
        open_tracker(config, out, label, place, known, kept) as tracker,
    ):
        if trial is not None:
            trial.started(tracker.run_id)
        _require_device(config)
        result.mlflow_run_id = tracker.run_id or known
        tracker.params(summary.flatten(asdict(config)))
        tell_origin(config, out, tracker, tags, screen.warn)
        session = Session(config, out, works_of(arms, out, tracker), screen, result, tracker, trial)
        session.warned = _foresee(session)
        try:
            for name in config.stages:
                _stage(session, name)
            if after is not None:
                after(session)
        finally:
            _finish(session)
    return result


@contextmanager
def _screen(out: Path, trial: Trial | None) -> Iterator[Screen]:
    """The terminal; a trial, one of many, speaks into `run.log` instead."""
    if trial is None:
        yield Screen()
        return
    with (out / "run.log").open("a", encoding="utf-8") as log:
        yield Screen(console(log))


# --- the stages over all arms ----------------------------------------------------------------------------------------


def _stage(session: Session, name: str) -> None:
    started = time.monotonic()
    try:
        status, note, manifest = STAGES[name](session)
    except BaseException as error:
        status = "pruned" if isinstance(error, Pruned) else "failed"
        session.result.stage(name, status, time.monotonic() - started, error=words_of(error))
        raise
    session.result.stage(name, status, time.monotonic() - started, manifest)
    session.result.write(session.out)
    if status != "skipped":
        session.screen.done(name, time.monotonic() - started, note)


Outcome = tuple[str, str, Path | None]
"""Status (done, reused, skipped), a note for the screen, the main arm's manifest."""


def _nothing(_session: Session) -> Outcome:
    return "skipped", "", None


def _acquire(session: Session) -> Outcome:
    if session.config.acquire.name == "none":
        return _nothing(session)
    report, folder = stages.acquire(session.config, session.screen)
    metrics = summary.acquire_metrics(report)
    session.result.add(metrics)
    session.tracker.metrics(metrics)
    return "done", summary.acquire_note(report, folder), folder / MANIFEST


def _prepare(session: Session) -> Outcome:
    for work in session.works:
        work.prepared = stages.prepare(work.arm.config, session.screen)
        summary.record_data(work.tracker, work.prepared)
    tell_inputs((work.arm for work in session.works), session.out, session.tracker)
    main = session.main.data
    report = main.manifest.metrics
    session.result.add(summary.data_metrics(report))
    session.tracker.metrics(summary.data_metrics(report))
    summary.tell_oddities(report, main.folder, session.screen)
    summary.judge_data(session.config.dataset.gate, report, session.screen)
    reused = all(work.data.reused for work in session.works)
    return "reused" if reused else "done", summary.data_note(report), main.folder / MANIFEST


def _train(session: Session) -> Outcome:
    for work in session.works:
        work.origin = work.base = stages.base_model(work.arm.config, session.screen)
    _expect(session)
    for work in _in_order(session.works):
        _start_from(session, work)
        _train_one(session, work)
    main = session.main.tuned
    assert main is not None
    session.result.add(main.manifest.metrics)
    reused = all(work.tuned is not None and work.tuned.reused for work in session.works)
    note = ", ".join(work.arm.name for work in session.works) if len(session.works) > 1 else ""
    return "reused" if reused else "done", note, main.folder / MANIFEST


def _foresee(session: Session) -> bool:
    """Whether a warning was given that the run does not fit, before anything is prepared for it."""
    if session.config.plan.gate == "off":
        return False
    from trivium.planner.run import foresee

    return foresee(session.config, [work.arm for work in session.works], session.screen)


def _expect(session: Session) -> None:
    """What memory and time the trainings will take, now that their data are there."""
    if session.config.plan.gate == "off":
        return
    from trivium.planner.run import Training, expect

    ahead = [Training(work.arm.name, work.arm.config, work.origin[0], work.data.folder, work.out) for work in session.works]
    found = expect(ahead, session.screen, session.warned, timed=session.trial is None)
    for work in session.works:
        work.expected = found.get(work.arm.name, {})
        session.result.add(work.expected, session.prefix(work))
        if work.arm.main:
            session.result.add(work.expected)


def _tell_error(session: Session, work: Work) -> None:
    """How far the forecast of a training was off."""
    if work.tuned is None or work.tuned.reused or not work.expected:
        return
    from trivium.planner.run import missed

    errors = missed(work.expected, work.tuned.manifest.metrics, work.arm.config.hardware.device)
    session.result.add(errors, session.prefix(work))
    if work.arm.main:
        session.result.add(errors)


def _in_order(works: list[Work]) -> list[Work]:
    """The arms, each after the one that it starts from."""
    ordered: list[Work] = []
    while len(ordered) < len(works):
        done = {None, *(work.arm.name for work in ordered)}
        ordered += [work for work in works if work not in ordered and work.arm.config.starts_from in done]
    return ordered


def _start_from(session: Session, work: Work) -> None:
    name = work.arm.config.starts_from
    if name is not None:
        before = next(other for other in session.works if other.arm.name == name)
        assert before.tuned is not None, "arms are trained in order"
        work.base = stages.merged(before.arm.config, before.base, before.tuned, before.out, session.screen)


def _train_one(session: Session, work: Work) -> None:
    config, prepared = work.arm.config, work.data
    if session.trial is None or session.trial.audited:
        _audit_before(session, work)
    watch = _watch(session, work)
    step = checkpoints.reached(work.out / CHECKPOINTS)
    if step is not None and not drift.finished(work.out):
        session.screen.say(f"{work.arm.name}: a training was interrupted here, with a checkpoint at step {step}; it goes on")
    with session.screen.bar(f"training {work.arm.name}") as update:
        work.tuned = stages.train(config, work.base, prepared, work.out, work.tracker, update, session.screen.warn, watch)
    whole_model = isinstance(config.adapter, FullAdapter)
    work.tracker.artifact(work.tuned.folder / MANIFEST if whole_model else work.tuned.folder)
    session.result.add(work.tuned.manifest.metrics, session.prefix(work))
    _tell_error(session, work)
    if isinstance(config.method, GrpoMethod):
        from trivium.rewards import telling

        telling.tell_divergence(work.tuned.manifest.metrics, work.tracker, session.screen)
        if work.arm.main:
            telling.tell_prompts(work.tuned.manifest.metrics, session.screen)
            telling.tell_gold(config, session.screen)
            telling.tell_embedded(config, session.screen)


def _watch(session: Session, work: Work) -> "Watch | None":
    """What looks at the main arm of a trial while it trains."""
    config, trial = work.arm.config, session.trial
    if trial is None or trial.every is None or not work.arm.main or isinstance(config.evaluation, NoneConfig):
        return None
    from trivium.evaluation import probe

    def note(value: float, step: int) -> None:
        session.tracker.metrics({ESTIMATE: value}, step)
        session.result.add({ESTIMATE: value, "trial/step": float(step)})

    return probe.watch(trial, *_ask_base(session, work), *stages.how_asked(config), note)


def _audit_before(session: Session, work: Work) -> None:
    """What the loss or the rewards do, found out before a step is paid for."""
    config, prepared = work.arm.config, work.data
    if isinstance(config.method, GrpoMethod):
        if config.reward.audit != "off":
            from trivium.rewards import telling

            work.audit = stages.audit_rewards(config, prepared, session.screen)
            write_json(work.out / "reward_audit.json", work.audit)
            session.result.add(telling.audit_metrics(work.audit), session.prefix(work))
            telling.judge_audit(config.reward.audit, config.reward.name, work.audit, session.screen)
    elif config.dataset.kind == "documents":
        from trivium.audit import audit

        work.audit = audit(config, work.base[0], prepared.folder)
        session.result.add(summary.audit_metrics(work.audit), session.prefix(work))
        if work.audit["failed"]:
            session.screen.warn(f"{work.arm.name}: {summary.audit_sentence(config.loss.name, work.audit)}")


def _evaluate(session: Session) -> Outcome:
    if isinstance(session.config.evaluation, NoneConfig):
        return _nothing(session)
    from trivium import evaluation

    for work in session.works:
        _evaluate_one(session, work)
    main = session.main
    assert main.items is not None
    metrics = {name: value for name, value in session.result.metrics.items() if name.startswith(("eval/", "band/"))}
    session.result.verdicts = evaluation.verdicts(metrics, main.items)
    if isinstance(session.config.evaluation, PersonaEvaluation):
        _judge_persona(session, session.config.evaluation)
    return "done", summary.items_note(main.items), main.out / "evaluation" / MANIFEST


def _judge_persona(session: Session, config: PersonaEvaluation) -> None:
    from trivium.evaluation import telling

    main = session.main
    assert main.scores is not None and main.base_scores is not None
    name = main.arm.name if len(session.works) > 1 else "tuned"
    telling.show_samples(main.scores, main.base_scores, config.samples_shown, name, session.screen)
    earlier = next((work for work in session.works if work.arm.name == main.arm.config.starts_from), None)
    if earlier is not None and earlier.scores is not None:
        session.result.add(telling.kept(main.scores, earlier.scores, earlier.arm.name, config, session.screen))
    telling.judge(session.result.metrics, config, session.screen)


def _evaluate_one(session: Session, work: Work) -> None:
    from trivium import evaluation

    config, prepared = work.arm.config, work.data
    if not work.base[0]:
        work.origin = work.base = stages.base_model(config, session.screen)
    items, base = _ask_base(session, work)
    with session.screen.bar(f"evaluating {work.arm.name}"):
        work.scores = stages.evaluate(config, work.base, prepared, items, work.tuned, work.out / "evaluation")
    metrics = evaluation.compare(work.scores, base, items.parts, config.evaluation)
    work.tracker.artifact(work.out / "evaluation")
    session.result.add(metrics, session.prefix(work))
    if work.arm.main:
        session.result.add(metrics)


def _ask_base(session: Session, work: Work) -> "tuple[EvalItems, Scores]":
    """The items of an arm's evaluation, and what the base model answers; both once."""
    config, prepared = work.arm.config, work.data
    if work.items is None:
        work.items = stages.items_of(config, prepared)
        summary.judge_contamination(config.dataset.contamination.mode, work.items, session.screen if work.arm.main else None)
    if work.base_scores is None:
        with session.screen.bar("evaluating the base model"):
            work.base_scores = stages.evaluate(config, work.origin, prepared, work.items, None)
    return work.items, work.base_scores


def _export(session: Session) -> Outcome:
    if session.trial is not None:  # what a search finds is exported from its best run
        return _nothing(session)
    from trivium.export import run as exporting
    from trivium.export import telling

    settings = session.config.export
    if not exporting.enabled(settings):
        return _nothing(session)
    job = _job(session)
    made, passing = exporting.make(job)
    session.parity = exporting.certify(job, made)
    session.result.add(telling.metrics(session.parity))
    session.tracker.artifact(job.folder / exporting.REPORT)
    telling.judge(session.parity, settings.parity, session.screen)
    exporting.publish(job, made)
    exporting.tidy(passing)
    return "done", f"{', '.join(exporting.enabled(settings))} in {job.folder}", job.folder / exporting.REPORT


def _job(session: Session) -> "Job":
    """What is exported: the main arm, unless it failed what matters."""
    from trivium.export import release
    from trivium.export.job import Job

    main, result, config = session.main, session.result, session.config
    failed = release.failed_checks(config.export, result.verdicts, result.metrics)
    release.judge(config.export, failed)
    if main.tuned is None:
        main.base, main.tuned = stages.taken_up(config, session.out, session.screen)
    return Job(
        config,
        main.base[0],
        main.tuned.folder.parent,
        session.out / "export",
        session.screen,
        result.metrics,
        result.verdicts,
        result.mlflow_run_id,
        result.made_in("prepare"),
        tuple(failed),
    )


STAGES: dict[str, Callable[[Session], Outcome]] = {
    "acquire": _acquire,
    "prepare": _prepare,
    "train": _train,
    "evaluate": _evaluate,
    "export": _export,
}


# --- around them -----------------------------------------------------------------------------------------------------


def _finish(session: Session) -> None:
    summary.add_differences(session.works, session.result)
    summary.show(session)
    if session.parity:
        from trivium.export import telling

        telling.tell(session.parity, session.screen)
    for work in session.works:
        if work.tracker is not session.tracker:
            work.tracker.metrics(session.result.of_arm(work.arm.name))
            work.tracker.finish("ok" if work.scores is not None or work.tuned is not None else "failed")
    session.tracker.metrics({name: value for name, value in session.result.of_run().items() if name != ESTIMATE})


def _require_device(config: Config) -> None:
    """Find out before long preparations, not after them, that this machine cannot do it."""
    if {"train", "evaluate"} & set(config.stages):
        from trivium import tiers

        tiers.require(config)
