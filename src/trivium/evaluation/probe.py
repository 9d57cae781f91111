"""Looks at a model while it trains: the objective of a search, estimated on few of the items that the evaluation asks."""

import copy
import logging
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from trivium.errors import TrainingError
from trivium.evaluation import period
from trivium.evaluation.compare import compare
from trivium.evaluation.items import EvalItems, Measure, Scores
from trivium.evaluation.persona import GENERAL, PersonaItems
from trivium.evaluation.respondents import Respondent
from trivium.evaluation.run import Evaluation, evaluate
from trivium.schema import JudgeConfig, PersonaEvaluation
from trivium.trial import Trial

logger = logging.getLogger(__name__)

RESAMPLES = 100
"""Bootstrap resamples of an estimate, whose interval nobody reads."""
_FIGURE = re.compile(r"(_base|_delta)?(_ci_(low|high))?$")


@dataclass(frozen=True)
class Watch:
    """A look at the model after every so many optimiser steps, save the last, which the evaluation follows; `look` takes the
    model as a respondent and the step, and may raise `Pruned`.
    """

    every: int
    look: Callable[[Respondent, int], None]


def watch(
    trial: Trial,
    items: EvalItems,
    base: Scores,
    config: Evaluation,
    measure: Measure | None,
    note: Callable[[float, int], None],
) -> Watch | None:
    """What estimates a trial's objective while it trains, tells `note` and reports to the trial; None where nothing is to be
    estimated. `base` holds the base model's answers to all the items.

    Its `look` raises `TrainingError` for an estimate that is not finite, and what the trial raises.
    """
    if trial.every is None:
        return None
    metric, asked = trial.objective, behind(few(items, trial.items), trial.objective)
    if metric not in compare(base, base, items.parts, replace(config, bootstrap_samples=RESAMPLES)):
        logger.warning("%s cannot be estimated while a trial trains; none is stopped early.", metric)
        return None

    def look(respondent: Respondent, step: int) -> None:
        value = estimate(respondent, asked, base, config, metric, measure)
        if value is None:
            return
        if not math.isfinite(value):
            raise TrainingError(
                f"{metric} is not a finite number at step {step} ({value}); the model has come apart: lower "
                "method.learning_rate, or leave this value out of the search space."
            )
        note(value, step)
        trial.report(value, step)

    return Watch(trial.every, look)


def few(items: EvalItems, count: int) -> EvalItems:
    """The first `count` of every part, band, questions and conversations, and as many dated facts, earlier and later ones in
    the pairs that they are measured in.
    """
    return replace(
        items,
        parts=[replace(part, items=part.items[:count]) for part in items.parts],
        documents={band: rows[:count] for band, rows in items.documents.items()},
        questions=items.questions[:count],
        persona=_few_of(items.persona, count) if items.persona else None,
    )


def behind(items: EvalItems, metric: str) -> EvalItems:
    """Those items that a metric is about: the parts of its name, or the documents, or else whatever is asked besides."""
    bare, name = replace(items, parts=[], documents={}, questions=[], persona=None), _FIGURE.sub("", metric)
    named = [part for part in items.parts if f"eval/{part.metric}" == name]
    if asked := named or [part for part in items.parts if f"eval/{part.stands_for}" == name]:
        return replace(bare, parts=asked)
    if read := {band: rows for band, rows in items.documents.items() if _reads(metric, band)}:
        return replace(bare, documents=read)
    return replace(items, parts=[], documents={})


def estimate(
    respondent: Respondent, items: EvalItems, base: Scores, config: Evaluation, metric: str, measure: Measure | None = None
) -> float | None:
    """A metric by the same questions, scores and comparison with the base model as the evaluation's; None where the items do
    not give it.
    """
    plain = replace(config, bootstrap_samples=RESAMPLES)
    if isinstance(plain, PersonaEvaluation) and not metric.startswith("eval/character_voice"):
        plain = replace(plain, judge=JudgeConfig())  # its marks cost a request each
    return compare(evaluate(respondent, items, plain, measure), base, items.parts, plain).get(metric)


def _few_of(asked: PersonaItems, count: int) -> PersonaItems:
    """A copy that shares the style judge."""
    some = copy.copy(asked)
    some.wordings, some.dialogues = period.chosen(asked.wordings, count), asked.dialogues[:count]
    return some


def _reads(metric: str, band: str) -> bool:
    """Whether a metric is about how surprising the documents of a band are."""
    if band == GENERAL:
        return metric.startswith("eval/general_")
    return metric.startswith((f"band/{band}/", "eval/distrust_ratio"))
