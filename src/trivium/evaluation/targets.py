"""What a persona must reach, judged at the worse end of each interval, and whether an earlier stage's effect survived."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import NamedTuple

from trivium.evaluation.items import Scores
from trivium.maths import statistics
from trivium.schema import PersonaEvaluation, PersonaTargets

SURE = 0.9
"""Accuracy below which the style judge is doubted."""
_AT_MOST = frozenset({"general_ppl_ratio"})
"""Targets that are not to be exceeded."""


class Target(NamedTuple):
    """A figure and what it must be: at least (or at most, where less is better) so much."""

    metric: str
    wanted: float
    at_most: bool = False

    @property
    def worse(self) -> str:
        """The end of the interval that is judged."""
        return f"{self.metric}_ci_{'high' if self.at_most else 'low'}"

    def reached(self, metrics: Mapping[str, float]) -> bool:
        """Whether the worse end of the interval reaches it; a figure that was not measured does not."""
        if self.worse not in metrics:
            return False
        return metrics[self.worse] <= self.wanted if self.at_most else metrics[self.worse] >= self.wanted


def targets(wanted: PersonaTargets) -> list[Target]:
    """The targets that are set, with the names of their metrics."""
    bounds = asdict(wanted)
    return [Target(f"eval/{name}", bound, name in _AT_MOST) for name, bound in bounds.items() if bound is not None]


def missed(metrics: Mapping[str, float], config: PersonaEvaluation) -> list[str]:
    """A sentence for every target that is not reached, or was not measured."""
    found = []
    for target in targets(config.targets):
        name, bound = target.metric.removeprefix("eval/"), "at most" if target.at_most else "at least"
        wanted = f"evaluation.targets.{name} asks for {bound} {target.wanted:g}"
        if target.metric not in metrics:
            found.append(f"{target.metric} was not measured, and {wanted}; null asks for nothing")
        elif not target.reached(metrics):
            end = "upper" if target.at_most else "lower"
            value, worse = metrics[target.metric], metrics[target.worse]
            found.append(f"{target.metric} is {value:.3f}, the {end} end of its interval {worse:.3f}, and {wanted}")
    return found


def doubts(metrics: Mapping[str, float]) -> list[str]:
    """Sentences about figures that are not to be relied on."""
    accuracy = metrics.get("eval/style_judge_accuracy")
    if accuracy is None or accuracy >= SURE:
        return []
    return [
        f"the style judge tells {accuracy:.0%} of held-out answers rightly, and below {SURE:.0%} its verdict is weak: "
        "give it more held-out rows (dataset.test_size, dataset.library.judge_size) or a persona with more of a voice"
    ]


def survived(
    final: Scores, earlier: Scores, metrics: Sequence[str], config: PersonaEvaluation, margin: float = 0.05
) -> dict[str, bool | float]:
    """Whether a later stage of training has kept what an earlier one did, per metric, on the items that both answered.

    `<m>_kept` (the difference, later minus earlier) with `_ci_low` and `_ci_high`, and `<m>_survived`: no more than `margin` is
    lost even at the lower end. Metrics that either lacks are left out.
    """
    found: dict[str, bool | float] = {}
    for metric in metrics:
        name = metric.removeprefix("eval/")
        now, before = final.items.get(name, {}), earlier.items.get(name, {})
        shared = sorted(now.keys() & before.keys())
        if not shared:
            continue
        late, early = ([scores[item] for item in shared] for scores in (now, before))
        change = statistics.difference(late, early, config.bootstrap_samples, config.confidence, config.seed)
        found |= {f"{name}_kept": change.value, f"{name}_kept_ci_low": change.low, f"{name}_kept_ci_high": change.high}
        found[f"{name}_survived"] = change.low > -margin
    return found
