"""`report.html`: the answer first, then everything that it rests on; one file that needs nothing from anywhere."""

import base64
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.maths.statistics import Estimate
from trivium.schema import SweepConfig
from trivium.sweep import objectives as sought
from trivium.sweep.report import answer, best, confirm, importance, plots, times
from trivium.sweep.report.curves import Scene
from trivium.sweep.report.facts import Report, StudyFacts
from trivium.sweep.report.intervals import shown
from trivium.sweep.report.rows import STATES, rows

if TYPE_CHECKING:
    from optuna.study import Study

TEMPLATE = Path(__file__).with_name("page.html")


def write_report(study: "Study", config: SweepConfig, facts: StudyFacts, folder: Path) -> Report:
    """Write `plots/`, `conf/experiment/<study>_best.yaml` and `report.html` of a study, finished or not, into its folder.

    A study of several objectives has one experiment for each point of its front: `<study>_front_<n>`.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it announces every study that is made, and each resample is one
    found = rows(study, list(config.sought))
    scene = Scene(facts, config.sought, found, best.best_rows(study, found))
    shares, reasons = _importances(study, config, facts)
    drawn, left_out = plots.write(scene, shares, folder / "plots")
    metrics = sought.metrics(config)
    compared = {which: confirm.comparisons(facts, list(config.sought), which) for which in confirm.points(facts)}
    report = Report(
        page=folder / "report.html",
        plots=[path for plot in drawn for path in (plot.page, plot.picture)],
        left_out={**left_out, **({"importance": reasons[0]} if reasons and not shares else {})},
        experiments=_experiments(scene, folder),
        commands=[best.command(facts, row.overrides) for row in scene.best],
        overrides=[list(row.overrides) for row in scene.best],
        sentences=answer.sentences(scene, shares),
        metrics=metrics,
        table=answer.table(scene, metrics),
        importance=shares,
        confirmed=compared.pop(confirm.BEST, []),
        front_confirmed=compared,
    )
    report.page.write_text(_rendered(scene, config, report, drawn), encoding="utf-8")
    return report


def _importances(study: "Study", config: SweepConfig, facts: StudyFacts) -> tuple[dict[str, dict[str, Estimate]], list[str]]:
    """Shares by objective, and the reasons where there are none."""
    found, reasons = {}, []
    for index, metric in enumerate(config.sought):
        try:
            found[metric] = importance.importance(study, facts.distributions, index, seed=config.seed)
        except importance.TooLittle as error:
            reasons.append(str(error))
    return found, reasons


def _experiments(scene: Scene, folder: Path) -> list[Path]:
    several, study = len(scene.objectives) > 1, scene.facts.study
    names = [f"{study}_front_{i}" if several else f"{study}_best" for i in range(len(scene.best))]
    for old in (folder / "conf" / "experiment").glob("*.yaml"):
        old.unlink()
    listed = list(scene.objectives)
    return [best.write_experiment(scene.facts, row, name, listed, folder) for row, name in zip(scene.best, names, strict=True)]


def _rendered(scene: Scene, config: SweepConfig, report: Report, drawn: Sequence[plots.Plot]) -> str:
    from jinja2 import Environment, StrictUndefined
    from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"interval": shown, "number": answer.brief}
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        facts=scene.facts,
        config=config,
        scene=scene,
        report=report,
        point=answer.point,
        yaml=[(path.name, path.read_text(encoding="utf-8"), _run_file(path)) for path in report.experiments],
        counts=Counter(row.state for row in scene.rows),
        states=list(STATES.values()),
        times=times.table(scene.rows, scene.facts, report.page.parent),
        plots=[_embedded(plot) for plot in drawn],
        plotlyjs=get_plotlyjs(),
    )


def _run_file(experiment: Path) -> str:
    """The line that runs an experiment file from where it lies."""
    return shlex.join(["trivium", "--config-dir", str(experiment.parents[1]), f"experiment={experiment.stem}"])


def _embedded(plot: plots.Plot) -> dict[str, Any]:
    """A plot for the page: its data for scripts, and its picture for readers without."""
    picture = base64.b64encode(plot.picture.read_bytes()).decode("ascii")
    return {"heading": plot.heading, "data": plot.drawn.to_json().replace("<", "\\u003c"), "picture": picture}
