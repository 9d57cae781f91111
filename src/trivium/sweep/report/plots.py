"""Which plots a study has, and their files: interactive pages and pictures."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.maths.statistics import Estimate
from trivium.sweep.report import curves, interactive, parallel, still
from trivium.sweep.report.curves import Scene
from trivium.sweep.report.figures import Figure, short_names
from trivium.sweep.report.scales import named, numbers

if TYPE_CHECKING:
    from optuna.study import Study

Importances = Mapping[str, Mapping[str, Estimate]]


@dataclass(frozen=True)
class Plot:
    """A plot that was drawn: its heading, the plotly figure, and the picture."""

    heading: str
    drawn: Any
    picture: Path

    @property
    def page(self) -> Path:
        """The interactive file beside the picture."""
        return self.picture.with_suffix(".html")


Candidate = tuple[str, str, str, Callable[[], Figure]]
"""A plot's name, heading, why it does not apply (empty where it does), and how it is made."""


def candidates(scene: Scene, importances: Importances) -> Iterator[Candidate]:
    """The figures of ours, in the order of the page."""
    keys = list(scene.facts.distributions)
    enough = "needs two complete trials." if len(scene.complete) < 2 else ""
    single = len(keys) == 1 and numbers(scene.facts.distributions[keys[0]])
    objectives = _by_objective(scene)
    for end, metric, of in objectives:
        reason = enough or ("" if single else "is drawn for a single numeric parameter; see slice.")
        yield f"curve{end}", f"{metric} against {', '.join(keys)}", reason, partial(curves.curve, of, *keys[:1])
    reason = enough if len(objectives) > 1 else "needs two objectives."
    yield "pareto", "What one objective costs in the other", reason, partial(curves.pareto, scene)
    for end, metric, of in objectives:
        yield f"history{end}", f"{metric} over the trials", enough, partial(curves.history, of)
    reason = "" if importances else "needs eight complete trials with different values and two parameters."
    yield "importance", "Importance of each parameter", reason, partial(curves.importances, importances)
    for end, metric, of in objectives:
        reason = enough or ("would repeat the curve." if single else "" if keys else "nothing was searched.")
        yield f"slice{end}", f"{metric} against each parameter", reason, partial(curves.slices, of)
    reason = "" if any(row.steps for row in scene.rows) else "no trial was estimated while it trained."
    yield "intermediate", "Estimates while training", reason, partial(curves.intermediate, scene)
    reason = "" if any(row.start and row.end for row in scene.rows) else "no trial has ended."
    yield "timeline", "Who worked when", reason, partial(curves.timeline, scene)


def write(scene: Scene, importances: Importances, folder: Path) -> tuple[list[Plot], dict[str, str]]:
    """Write `<name>.html` and `<name>.png` of every plot that applies."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.html"), *folder.glob("*.png")]:
        old.unlink()
    plots, left_out = [], {}
    for name, heading, reason, make in candidates(scene, importances):
        if reason:
            left_out[name] = reason
            continue
        figure = make()
        still.save(figure, folder / f"{name}.png")
        plots.append(Plot(heading, interactive.draw(figure), folder / f"{name}.png"))
    more, without = _of_optuna(scene, importances, folder)
    for plot in (plots := plots + more):
        plot.drawn.write_html(plot.page, include_plotlyjs=True, config={"displaylogo": False})
    return plots, left_out | without


def _by_objective(scene: Scene) -> list[tuple[str, str, Scene]]:
    """A file name's ending, the metric, and the scene, for each objective."""
    several = len(scene.objectives) > 1
    return [(f"_{i}" if several else "", metric, replace(scene, index=i)) for i, metric in enumerate(scene.objectives)]


# --- drawn by Optuna -------------------------------------------------------------------------------------------------

MOST = 4
"""Parameters that a contour plot crosses with each other."""


def _of_optuna(scene: Scene, importances: Importances, folder: Path) -> tuple[list[Plot], dict[str, str]]:
    """Parallel coordinates and contours: of two or more parameters, and trials that differ in them."""
    names = ("parallel_coordinate", "contour")
    keys = scene.facts.distributions.keys()
    if len(keys) < 2:
        return [], dict.fromkeys(names, "needs two parameters.")
    if sum(keys <= row.params.keys() for row in scene.complete) < 3:
        return [], dict.fromkeys(names, "needs three complete trials.")
    plots = []
    for suffix, metric, of in _by_objective(scene):
        plots.append(_parallel(of, f"{metric}: trials as lines", folder / f"parallel_coordinate{suffix}.png"))
        first = _most_important(of, importances)
        plots.append(_contour(of, first, f"{metric} over pairs of parameters", folder / f"contour{suffix}.png"))
    return plots, {}


def _most_important(scene: Scene, importances: Importances) -> list[str]:
    ordered = [*importances.get(scene.metric, ()), *scene.facts.distributions]
    return list(dict.fromkeys(ordered))[:MOST]


def _parallel(scene: Scene, heading: str, picture: Path) -> Plot:
    from optuna.visualization import plot_parallel_coordinate

    parallel.save(scene, picture)
    drawn = plot_parallel_coordinate(_shown(scene, interactive.text), target_name=interactive.text(scene.metric))
    drawn = interactive.styled(drawn, 440)
    drawn.update_layout(margin={"l": 110, "r": 150, "t": 40, "b": 60})
    return Plot(heading, drawn, picture)


def _contour(scene: Scene, keys: list[str], heading: str, picture: Path) -> Plot:
    """Optuna's contours, by both of its drawers; its own style of pictures does not outlast it."""
    import matplotlib
    import optuna.visualization as scripted
    import optuna.visualization.matplotlib as pictured
    from matplotlib import pyplot

    names = short_names(list(scene.facts.distributions))
    many = len(keys) if len(keys) > 2 else 1
    params = [interactive.text(names[key]) for key in keys]
    drawn = scripted.plot_contour(_shown(scene, interactive.text), params=params, target_name=interactive.text(scene.metric))
    interactive.styled(drawn, 440 if many == 1 else 260 * many)
    matplotlib.use("agg")
    with warnings.catch_warnings(), pyplot.style.context("default"):
        warnings.simplefilter("ignore")  # Optuna calls these plots experimental
        params = [still.plain(names[key]) for key in keys]
        spots = pictured.plot_contour(_shown(scene, still.plain), params=params, target_name=still.plain(scene.metric))
        still.keep(spots, picture, many)
    return Plot(heading, drawn, picture)


def _shown(scene: Scene, written: Callable[[Any], str]) -> "Study":
    """The complete trials as a study of one objective, with short names and categories, `written` for one drawer."""
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution

    names = {key: written(name) for key, name in short_names(list(scene.facts.distributions)).items()}
    study = optuna.create_study(direction="maximize" if scene.maximised else "minimize")
    for row in scene.complete:
        params: dict[str, Any] = {}
        distributions: dict[str, BaseDistribution] = {}
        for key, value in ((key, row.params[key]) for key in names if key in row.params):
            distribution = scene.facts.distributions[key]
            if isinstance(distribution, CategoricalDistribution) and not numbers(distribution):
                labels = [written(named(one)) for one in distribution.choices]
                value, distribution = written(named(value)), CategoricalDistribution(list(dict.fromkeys(labels)))
            params[names[key]], distributions[names[key]] = value, distribution
        reached = row.values[scene.index].value
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=reached))
    return study
