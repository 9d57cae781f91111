"""Evaluation against the base model by the same code: suites are data, every figure has an interval and a verdict."""

from trivium.evaluation.compare import compare, delta_name, difference, verdicts
from trivium.evaluation.respondents import Reading, Respondent, TorchRespondent
from trivium.evaluation.run import EvalItems, Scores, evaluate, load_items

__all__ = [
    "EvalItems",
    "Reading",
    "Respondent",
    "Scores",
    "TorchRespondent",
    "compare",
    "delta_name",
    "difference",
    "evaluate",
    "load_items",
    "verdicts",
]
