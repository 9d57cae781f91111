"""What a run says of a persona: answers side by side, what is doubtful, what a later stage kept, which targets were missed."""

from typing import TYPE_CHECKING

from trivium.console import Screen
from trivium.errors import GateError
from trivium.evaluation.items import Scores
from trivium.evaluation.shown import samples_shown
from trivium.evaluation.targets import doubts, missed, survived
from trivium.schema import PersonaEvaluation

if TYPE_CHECKING:
    from collections.abc import Mapping

EARLIER = ("temporal_compliance", "retained", "unlearned", "style_consistency")
"""What a later training may undo."""


def show_samples(tuned: Scores, base: Scores, count: int, name: str, screen: Screen) -> None:
    """A table of questions with the base model's and the tuned model's answers."""
    rows = [[shown.question, shown.base, shown.tuned] for shown in samples_shown(tuned, base, count)]
    if rows:
        screen.table("before and after", ["question", "base", name], rows, left=True)


def kept(final: Scores, earlier: Scores, name: str, config: PersonaEvaluation, screen: Screen) -> dict[str, float]:
    """`eval/<m>_kept` metrics with intervals: what is left of the effects of the stage `name`; warns of what is lost."""
    found = survived(final, earlier, EARLIER, config)
    for metric in EARLIER:
        if found.get(f"{metric}_survived") is False:
            change, low, high = (found[f"{metric}_kept{end}"] for end in ("", "_ci_low", "_ci_high"))
            screen.warn(f"{metric} of {name} has not surely survived: it changed by {change:+.2f} [{low:.2f}, {high:.2f}].")
    return {f"eval/{key}": float(value) for key, value in found.items()}


def judge(metrics: "Mapping[str, float]", config: PersonaEvaluation, screen: Screen) -> None:
    """Warn of doubtful figures and missed targets; raises `GateError` for the latter if the gate is strict."""
    for sentence in doubts(metrics):
        screen.warn(f"{sentence}.")
    lacks = missed(metrics, config)
    if lacks and config.gate == "strict":
        raise GateError(f"{'; '.join(lacks)}. Train longer, change the data or the targets, or set evaluation.gate=warn.")
    for sentence in lacks if config.gate == "warn" else ():
        screen.warn(f"{sentence}.")
