"""What a search shows while it lasts: a line for every trial that ended, and how far it is."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from trivium.console import Screen, number
from trivium.sweep.running import label
from trivium.sweep.study import Search

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


class Follow:
    """Prints each ended trial once, in the order of their ends; `update` moves a bar."""

    def __init__(self, search: Search, screen: Screen, update: Callable[[int, int], None]) -> None:
        self._search, self._screen, self._update = search, screen, update
        self._told = {trial.number for trial in search.trials() if trial.state.is_finished()}

    def __call__(self) -> None:
        """Look once."""
        ended = [t for t in self._search.trials() if t.state.is_finished() and t.number not in self._told]
        for trial in sorted(ended, key=lambda t: t.user_attrs.get("ended", 0.0)):
            self._told.add(trial.number)
            self._screen.say(self._line(trial))
        self._update(len(self._search.finished()), self._search.total)

    def _best_now(self) -> "int | None":
        complete = self._search.trials("COMPLETE")
        single = len(self._search.sweep.sought) == 1 and not self._search.sweep.constraints
        return self._search.study.best_trial.number if complete and single else None

    def _line(self, trial: "FrozenTrial") -> str:
        """`✓ t003 alpha=0.31   source_preference 0.36 [0.27, 0.45]   18.2 s   best so far`."""
        marks = {"COMPLETE": "✓", "PRUNED": "–", "FAIL": "✗"}
        words = [marks[trial.state.name], f"{label(trial.number, trial.user_attrs.get('overrides', [])):<34}"]
        metrics = trial.user_attrs.get("metrics", {})
        words += [f"{name.split('/')[-1]} {_interval(metrics, name)}" for name in self._search.sweep.sought if name in metrics]
        if trial.state.name == "PRUNED":
            words.append(f"pruned after {max(trial.intermediate_values, default=0)} steps")
        if trial.state.name == "FAIL":
            words.append(trial.user_attrs.get("reason") or "ended with its process; its point is queued again")
        words.append(f"{trial.user_attrs.get('seconds', 0.0):6.1f} s")
        if self._best_now() == trial.number:
            words.append("best so far")
        return "  ".join(words)


def _interval(metrics: dict[str, float], name: str) -> str:
    low, high = (f"{name}_ci_{end}" for end in ("low", "high"))
    return number(metrics, name) + (f" [{number(metrics, low)}, {number(metrics, high)}]" if low in metrics else "")
