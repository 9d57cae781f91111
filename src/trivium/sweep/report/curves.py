"""The figures of a study: what its trials reached, along its course, its parameters, its objectives and its time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from trivium.maths.statistics import Estimate
from trivium.sweep.report.facts import StudyFacts
from trivium.sweep.report.figures import COLOURS, Axis, Figure, Panel, Series, short_names
from trivium.sweep.report.intervals import has_interval, shown
from trivium.sweep.report.rows import Row
from trivium.sweep.report.scales import axis, numbers


@dataclass(frozen=True)
class Scene:
    """What figures are drawn from. `metric` is the objective of one figure, `index` its place among all."""

    facts: StudyFacts
    objectives: Mapping[str, str]
    rows: Sequence[Row]
    best: Sequence[Row]
    index: int = 0

    @property
    def metric(self) -> str:
        """The objective's name."""
        return list(self.objectives)[self.index]

    @property
    def maximised(self) -> bool:
        """Whether more is better."""
        return self.objectives[self.metric] == "maximize"

    @property
    def complete(self) -> list[Row]:
        """Trials with values."""
        return [row for row in self.rows if row.values]

    def levels(self) -> dict[str, float]:
        """The objective of the base model and of the default, where they are known."""
        known = {"base": self.facts.base, "default": self.facts.default}
        return {name: metrics[self.metric] for name, metrics in known.items() if self.metric in metrics}


def history(scene: Scene) -> Figure:
    """Every trial's value in the order of the trials, and the best so far."""
    rows = scene.complete
    feasible = [row for row in rows if row.feasible]
    best = list(accumulate((row.values[scene.index].value for row in feasible), max if scene.maximised else min))
    so_far = Series("best so far", [row.number for row in feasible], best, COLOURS["best"], "stairs")
    marks = _marks(scene, lambda row: row.number)
    return Figure([Panel(Axis("trial"), Axis(scene.metric), [so_far, *marks], scene.levels())])


def curve(scene: Scene, key: str) -> Figure:
    """The objective against one parameter, every trial with its interval, the means of equal values joined."""
    return Figure([_along(scene, key, joined=True)], height=460)


def slices(scene: Scene) -> Figure:
    """The objective against each parameter."""
    return Figure([_along(scene, key, levels=False) for key in scene.facts.distributions], height=380, share_y=True)


def importances(found: Mapping[str, Mapping[str, Estimate]]) -> Figure:
    """Each parameter's share in each objective."""
    panels = []
    for metric, shares in found.items():
        names = short_names(list(shares))
        items = sorted(shares.items(), key=lambda item: item[1].value)
        series = Series(
            "share",
            [share.value for _, share in items],
            [names[key] for key, _ in items],
            COLOURS["trial"],
            spread=[_spread(share) for _, share in items],
            spread_along="x",
            text=[f"{key}: {shown(share, 2)}" for key, share in items],
        )
        panels.append(Panel(Axis(f"share in {metric}"), Axis("", names=True), [series]))
    most = max((len(shares) for shares in found.values()), default=1)
    return Figure(panels, height=150 + 50 * most)


def pareto(scene: Scene) -> Figure:
    """The first two objectives against each other, with the intervals of both, the front joined."""
    first, second = list(scene.objectives)[:2]
    front = {row.number for row in scene.best}
    groups = {
        "front": (scene.best, COLOURS["front"], "star"),
        "other trials": ([r for r in scene.complete if r.number not in front and r.feasible], COLOURS["trial"], "circle"),
        "breaks a constraint": ([r for r in scene.complete if not r.feasible], COLOURS["grey"], "cross"),
    }
    series = [_line_of_front(scene.best)]
    for name, (rows, colour, symbol) in groups.items():
        series += _crosses(name, rows, colour, symbol, scene)
    known = {"base": scene.facts.base, "default": scene.facts.default}
    for i, (name, metrics) in enumerate(known.items()):
        if first in metrics and second in metrics:
            symbol = ("square", "diamond")[i]
            series.append(Series(name, [metrics[first]], [metrics[second]], COLOURS["base"], symbol=symbol, text=[name]))
    return Figure([Panel(Axis(first), Axis(second), series)], height=480)


def intermediate(scene: Scene) -> Figure:
    """Estimates of the first objective while trials trained; a cross marks where one was pruned."""
    best = {row.number for row in scene.best}
    series = []
    for row in sorted((r for r in scene.rows if r.steps), key=lambda r: r.number in best):
        kind = "best" if row.number in best else {"pruned": "pruned", "failed": "failed"}.get(row.state, "trial")
        steps = sorted(row.steps)
        text = [f"trial {row.number}, {row.state}, step {step}" for step in steps]
        name = {"best": "best", "trial": "complete"}.get(kind, kind)
        estimates = [row.steps[step] for step in steps]
        faint = kind != "best"
        series.append(Series(name, steps, estimates, COLOURS[kind], "both", text=text, faint=faint))
        if row.state == "pruned":
            series.append(Series("given up", steps[-1:], estimates[-1:], COLOURS["pruned"], symbol="cross", text=text[-1:]))
    return Figure([Panel(Axis("optimiser step"), Axis(f"estimate of {next(iter(scene.objectives))}"), series)])


def timeline(scene: Scene) -> Figure:
    """When each worker was at which trial, in minutes from the first."""
    rows = [row for row in scene.rows if row.start and row.end]
    began = min(row.start for row in rows if row.start)
    workers = sorted({row.worker or "worker" for row in rows})
    labels = {worker: f"worker {i}" for i, worker in enumerate(workers)}
    colours = {"complete": COLOURS["trial"], "pruned": COLOURS["pruned"], "failed": COLOURS["failed"]}
    series = []
    for state, colour in colours.items():
        chosen = [row for row in rows if row.state == state]
        ends = [_minutes(row.end, began) for row in chosen]
        starts = [_minutes(row.start, began) for row in chosen]
        names = [labels[row.worker or "worker"] for row in chosen]
        text = [f"trial {row.number}: {row.state}, {row.worker}, {row.seconds or 0:.1f} s" for row in chosen]
        if chosen:
            series.append(Series(state, ends, names, colour, "bars", starts=starts, text=text))
    return Figure([Panel(Axis("minutes"), Axis("", names=True), series)], height=170 + 42 * len(workers))


# --- pieces ----------------------------------------------------------------------------------------------------------


def _along(scene: Scene, key: str, joined: bool = False, levels: bool = True) -> Panel:
    rows = [row for row in scene.complete if key in row.params]
    values = [row.params[key] for row in rows]
    title = key if joined else short_names(list(scene.facts.distributions))[key]
    scale, place = axis(title, scene.facts.distributions[key], values)
    series = _marks(scene, lambda row: place(row.params[key]), rows)
    if joined and numbers(scene.facts.distributions[key]):
        series = [_means(scene, rows, key, place), *series]
    return Panel(scale, Axis(scene.metric), series, scene.levels() if levels else {})


def _means(scene: Scene, rows: Sequence[Row], key: str, place: Callable[[Any], Any]) -> Series:
    """A line through the mean value at each value of the parameter."""
    found: dict[float, list[float]] = {}
    for row in rows:
        found.setdefault(float(row.params[key]), []).append(row.values[scene.index].value)
    places = sorted(found)
    means = [sum(found[one]) / len(found[one]) for one in places]
    return Series("mean", [place(one) for one in places], means, COLOURS["grey"], "line")


def _marks(scene: Scene, where: Callable[[Row], Any], rows: Sequence[Row] | None = None) -> list[Series]:
    """Feasible trials, those that break a constraint, and the best, each with its interval."""
    best = {row.number for row in scene.best}
    rows = scene.complete if rows is None else rows
    groups = {
        "trials": ([r for r in rows if r.feasible and r.number not in best], COLOURS["trial"], "circle"),
        "breaks a constraint": ([r for r in rows if not r.feasible], COLOURS["grey"], "cross"),
        "front" if len(scene.objectives) > 1 else "best": ([r for r in rows if r.number in best], COLOURS["best"], "star"),
    }
    return [
        Series(
            name,
            [where(row) for row in chosen],
            [row.values[scene.index].value for row in chosen],
            colour,
            spread=_spreads([row.values[scene.index] for row in chosen]),
            text=[told(row, scene.objectives) for row in chosen],
            symbol=symbol,
        )
        for name, (chosen, colour, symbol) in groups.items()
        if chosen
    ]


def _crosses(name: str, rows: Sequence[Row], colour: str, symbol: str, scene: Scene) -> list[Series]:
    """Points with an interval along both axes: the marks, and again without marks for the second interval."""
    if not rows:
        return []
    x, y = [row.values[0].value for row in rows], [row.values[1].value for row in rows]
    text = [told(row, scene.objectives) for row in rows]
    across, along = (_spreads([row.values[i] for row in rows]) for i in (0, 1))
    marks = Series(name, x, y, colour, spread=along, text=text, symbol=symbol)
    return (
        [Series(name, x, y, colour, spread=across, spread_along="x", symbol="none", silent=True), marks] if across else [marks]
    )


def _line_of_front(front: Sequence[Row]) -> Series:
    x, y = zip(*sorted((row.values[0].value, row.values[1].value) for row in front), strict=True) if front else ((), ())
    return Series("front", x, y, COLOURS["front"], "line", faint=True, silent=True)


def told(row: Row, objectives: Mapping[str, str]) -> str:
    """What is said of a mark."""
    reached = [f"{metric} {shown(value)}" for metric, value in zip(objectives, row.values, strict=True)]
    return "\n".join([f"trial {row.number}", *row.overrides, *reached])


def _spreads(values: Sequence[Estimate]) -> list[tuple[float, float]] | None:
    return [_spread(value) for value in values] if any(map(has_interval, values)) else None


def _spread(value: Estimate) -> tuple[float, float]:
    return max(0.0, value.value - value.low), max(0.0, value.high - value.value)


def _minutes(moment: Any, began: Any) -> float:
    return float((moment - began).total_seconds() / 60)
