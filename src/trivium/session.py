"""A run on its way: its arms, what each has come to, and where it all is shown and recorded."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium import stages, summary
from trivium.arms import Arm
from trivium.console import Screen
from trivium.result import Result
from trivium.schema import Config
from trivium.serving.runs import SETTINGS
from trivium.tracking import Tracker
from trivium.trial import Trial

if TYPE_CHECKING:
    from trivium.evaluation import EvalItems, Scores


@dataclass
class Work:
    """One arm on its way through the stages. `base` is what it trains from: `origin`, or another arm's merged weights."""

    arm: Arm
    out: Path
    tracker: Tracker
    origin: tuple[str, str] = ("", "")
    base: tuple[str, str] = ("", "")
    prepared: stages.Product | None = None
    tuned: stages.Product | None = None
    audit: dict[str, Any] | None = None
    items: "EvalItems | None" = None
    base_scores: "Scores | None" = None
    scores: "Scores | None" = None
    expected: Mapping[str, float] = field(default_factory=dict)

    @property
    def data(self) -> stages.Product:
        """What the arm is trained on, once it is there."""
        assert self.prepared is not None, "the check pass lets no stage stand before prepare"
        return self.prepared


@dataclass
class Session:
    """A run: its arms, and where it shows and records itself."""

    config: Config
    out: Path
    works: list[Work]
    screen: Screen
    result: Result
    tracker: Tracker
    trial: Trial | None = None
    parity: dict[str, Any] | None = None
    warned: bool = False

    @property
    def main(self) -> Work:
        """The arm that is the experiment itself."""
        return next(work for work in self.works if work.arm.main)

    def prefix(self, work: Work) -> str:
        """Metric prefix of an arm when there are several."""
        return f"arms/{work.arm.name}/" if len(self.works) > 1 else ""


def works_of(arms: list[Arm], out: Path, tracker: Tracker) -> list[Work]:
    """The main arm works in the run's own folder, the others below `arms/`; each of several has a child run."""
    if len(arms) == 1:
        return [Work(arms[0], out, tracker)]
    works = []
    for arm in arms:
        folder = out if arm.main else out / "arms" / arm.name
        works.append(Work(arm, folder, tracker.child(arm.name, out / "arms" / arm.name)))
        works[-1].tracker.params(summary.flatten(asdict(arm.config)))
        works[-1].tracker.artifact(out / "arms" / arm.name / SETTINGS)
    return works
