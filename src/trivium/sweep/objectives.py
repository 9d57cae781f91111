"""What may be sought: evaluations on held-out items, and nothing that a trial trains on."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from trivium.artifact import key_of
from trivium.binding import nearest
from trivium.schema import SweepConfig

DIRECTIONS = ("maximize", "minimize")
EVALUATED = ("eval/", "band/")
PROXY = "eval/proxy_reward"
PER_TOKEN = ("ppl", "distrust_ratio")
"""Ends of metrics that depend on the tokenizer."""

_CONSTRAINT = re.compile(r"\s*(\S+)\s*(<=|>=)\s*([-+.\deE]+)\s*")
_SIGNS = {"<=": 1.0, ">=": -1.0}


@dataclass(frozen=True)
class Constraint:
    """`metric <= bound` or `metric >= bound`."""

    metric: str
    sign: str
    bound: float

    def violation(self, value: float) -> float:
        """How far a value is on the wrong side; zero or less keeps the constraint."""
        return _SIGNS[self.sign] * (value - self.bound)


def constraint(text: str) -> Constraint | None:
    """The constraint that a text states.

    >>> constraint("eval/general_ppl_ratio <= 1.1")
    Constraint(metric='eval/general_ppl_ratio', sign='<=', bound=1.1)
    """
    match = _CONSTRAINT.fullmatch(text)
    try:
        return Constraint(match[1], match[2], float(match[3])) if match else None
    except ValueError:
        return None


def constraints(sweep: SweepConfig) -> list[Constraint]:
    """All of a sweep's constraints; those that cannot be read are the check pass's to tell."""
    return [found for text in sweep.constraints if (found := constraint(text)) is not None]


def metrics(sweep: SweepConfig) -> list[str]:
    """Every metric that a trial must have measured: objectives, then constraints."""
    return list(dict.fromkeys([*sweep.sought, *(one.metric for one in constraints(sweep))]))


def problems_in(sweep: SweepConfig) -> Iterator[str]:
    """A sentence for every objective or constraint that cannot be compared across trials."""
    if not sweep.sought:
        yield "sweep.objectives: empty; name a metric of the evaluation, for example maximize eval/source_preference."
    for metric, direction in sweep.sought.items():
        if direction not in DIRECTIONS:
            yield f"sweep.objectives: {f'{direction} {metric}'.strip()!r}: {_how(direction)}"
            continue
        if reason := _refused(metric):
            yield f"sweep.objectives: {metric} {reason}"
    if len(sweep.sought) < len(sweep.objectives):
        yield f"sweep.objectives: {', '.join(sweep.objectives)}: a metric stands here twice; name each once."
    for text in sweep.constraints:
        if constraint(text) is None:
            yield f"sweep.constraints: {text!r} cannot be read; write <metric> <= <number> or <metric> >= <number>."
    for key in sweep.params:
        yield from _moved_goalposts(key, sweep)


def _how(direction: str) -> str:
    return f"write maximize or minimize and a metric; {nearest(direction, DIRECTIONS)}"


def _refused(metric: str) -> str:
    if metric == PROXY:
        return (
            "is the reward that is trained on; a search over it finds what pays, not what is right. Use eval/gold_reward, "
            "which training never sees."
        )
    if metric.startswith(EVALUATED):
        return ""
    if "loss" in metric:
        return (
            "is a loss: its weights and terms change with the settings that are searched, so that it cannot be compared across "
            "trials. Use a metric of the evaluation, which begins with eval/ or band/."
        )
    if "reward" in metric:
        return (
            "is a reward of the training; a search over it finds what pays, not what is right. Use eval/gold_reward, which "
            "training never sees."
        )
    return "is not measured on held-out items; use a metric of the evaluation, which begins with eval/ or band/."


def _moved_goalposts(key: str, sweep: SweepConfig) -> Iterator[str]:
    """What changes the measure itself makes trials incomparable."""
    if key.split(".")[0] == "evaluation" or key.startswith(("reward.gold", "sweep.", "hydra.")):
        yield f"sweep.params.{key}: changes what is measured or how it is searched, and not what is trained; leave it out."
    if key.split(".")[0] == "model":
        for metric in sweep.sought:
            if metric.endswith(PER_TOKEN):
                yield f"sweep.objectives: {metric} counts tokens, and sweep.params.{key} changes them; use a metric in bpb."


def missing(sweep: SweepConfig, measured: Mapping[str, float]) -> Iterator[str]:
    """A sentence for every metric that the evaluation does not give; `measured` are all that it gave of the base model."""
    plain = [m for m in measured if m.startswith(EVALUATED) and f"{m}_ci_low" in measured and not m.endswith("_delta")]
    for metric in metrics(sweep):
        if metric not in measured:
            near, everything = nearest(metric, plain), f"All that is: {', '.join(sorted(plain))}."
            yield " ".join([f"{metric} is not measured by this evaluation;", near, *([everything] if "?" in near else [])])


def items_of(folder: Path, metric: str) -> str:
    """Hash of the held-out items behind a metric of a finished run; two trials can be compared where it is equal.

    A metric that no item states by itself, such as a perplexity, rests on all documents that were read.
    """
    found = json.loads((folder / "evaluation" / "scores.json").read_text(encoding="utf-8"))
    name = metric.removeprefix("eval/").removesuffix("_delta")
    asked = found["items"].get(name, found["readings"])
    return key_of({part: sorted(rows) for part, rows in asked.items()} if asked is found["readings"] else sorted(asked))
