"""Evaluation against the base model by the same code: suites are data, every figure has an interval and a verdict."""

from trivium.evaluation.compare import compare, delta_name, difference, verdicts
from trivium.evaluation.items import EvalItems, Scores
from trivium.evaluation.respondents import Reading, Respondent
from trivium.evaluation.run import evaluate, load_items
from trivium.evaluation.shown import Shown, samples_shown
from trivium.evaluation.targets import doubts, missed, survived
from trivium.evaluation.torch import TorchRespondent
from trivium.evaluation.voice import Voice

__all__ = [
    "EvalItems",
    "Reading",
    "Respondent",
    "Scores",
    "Shown",
    "TorchRespondent",
    "Voice",
    "compare",
    "delta_name",
    "difference",
    "doubts",
    "evaluate",
    "load_items",
    "missed",
    "samples_shown",
    "survived",
    "verdicts",
]
