"""The answer in words and in one table: what is best, how sure that is, and beside what."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from trivium.maths.statistics import Estimate
from trivium.sweep.report import confirm, importance
from trivium.sweep.report.curves import Scene
from trivium.sweep.report.facts import Comparison, StudyFacts
from trivium.sweep.report.intervals import shown
from trivium.sweep.report.rows import Row

NOTHING = "–"


def sentences(scene: Scene, shares: Mapping[str, Mapping[str, Estimate]]) -> list[str]:
    """What is best, whether it is luck, what mattered, what is missing; a sentence each."""
    found = [headline(scene)]
    found += ["The best point is the default itself."] * scene.facts.best_is_default
    found += _confirmed(scene)
    if scene.best and not confirm.points(scene.facts):
        found.append("Nothing was trained again with fresh seeds, so that luck is not ruled out.")
    found += [importance.sentence(metric, one) for metric, one in shares.items()]
    counts = Counter(row.state for row in scene.rows)
    if (done := counts["complete"] + counts["pruned"]) < scene.facts.n_trials:
        found.append(f"The study is not finished: {done} of {scene.facts.n_trials} trials are.")
    return found


def _confirmed(scene: Scene) -> list[str]:
    """What fresh seeds say: of the best point by itself, of a front for each objective."""
    if len(scene.objectives) > 1:
        compared = {
            which: confirm.comparisons(scene.facts, list(scene.objectives), which) for which in confirm.points(scene.facts)
        }
        return [told for metric in scene.objectives for told in confirm.of_front(metric, scene.objectives[metric], compared)]
    found = []
    for one in confirm.comparisons(scene.facts, [scene.metric]):
        found.append(confirm.verdict(one, scene.maximised))
        found += confirm.fall(scene.best[0].values[0], one, scene.maximised) if scene.best else []
    return found


def headline(scene: Scene) -> str:
    """The first sentence."""
    complete = scene.complete
    if not complete:
        return "No trial is complete, so that there is no answer yet."
    if not scene.best:
        return f"None of the {len(complete)} complete trials keeps the constraints."
    if len(scene.objectives) > 1:
        many = f"{len(scene.best)} of {len(complete)} complete trials are" if len(scene.best) > 1 else "One trial is"
        return f"{many} on the front: no other trial is better in one objective without being worse in another."
    row = scene.best[0]
    return f"Best of {len(complete)} complete trials: {point(row)} with {scene.metric} {shown(row.values[0])}."


def point(row: Row) -> str:
    """A trial's swept values in one line, numbers shortened."""
    return " ".join(f"{key}={brief(value)}" for key, value in row.params.items()) or f"trial {row.number}"


def brief(value: Any) -> str:
    """A parameter's value, short."""
    return f"{value:.4g}" if isinstance(value, float) else "null" if value is None else str(value)


def table(scene: Scene, metrics: Sequence[str]) -> list[list[str]]:
    """Rows of what, what it was measured on, and each metric with its interval: trials, fresh seeds, differences, base."""
    several = len(scene.objectives) > 1
    rows = []
    for i, row in enumerate(scene.best):
        name = f"{'front ' + str(i) if several else 'best'}: {point(row)}"
        rows.append([name, f"trial {row.number}", *_cells(_of_trial(row, scene), metrics)])
    rows += _fresh(scene.facts, metrics)
    if scene.facts.base:
        rows.append(["base", "not trained", *_cells(of_metrics(scene.facts.base, metrics), metrics)])
    return rows


def of_metrics(measured: Mapping[str, float], metrics: Sequence[str]) -> dict[str, str]:
    """Figures with the intervals that were measured beside them."""
    found = {}
    for metric in metrics:
        if metric in measured:
            low, high = (measured.get(f"{metric}_ci_{end}", measured[metric]) for end in ("low", "high"))
            found[metric] = shown(Estimate(measured[metric], low, high))
    return found


def _fresh(facts: StudyFacts, metrics: Sequence[str]) -> list[list[str]]:
    """What was trained again, the default, and their differences."""
    compared = {which: confirm.comparisons(facts, metrics, which) for which in confirm.points(facts)}
    rows = [_mean_row(which, found, metrics) for which, found in compared.items() if found]
    default = confirm.comparisons(facts, metrics, confirm.DEFAULT)
    if default:
        rows.append(_mean_row(confirm.DEFAULT, default, metrics))
    elif facts.default:
        rows.append(["default", "one training", *_cells(of_metrics(facts.default, metrics), metrics)])
    for which, found in compared.items():
        differences = {one.metric: confirm.signed(one.difference) for one in found if one.difference}
        if differences:
            rows.append([f"{confirm.words(which)} − default", "paired over seeds", *_cells(differences, metrics)])
    return rows


def _mean_row(which: str, found: Sequence[Comparison], metrics: Sequence[str]) -> list[str]:
    seeds = max(one.seeds for one in found)
    told = "1 fresh seed" if seeds == 1 else f"mean of {seeds} fresh seeds"
    means = {one.metric: shown(one.best) for one in found}
    return [confirm.words(which), told, *_cells(means, metrics)]


def _of_trial(row: Row, scene: Scene) -> dict[str, str]:
    reached = {metric: shown(value) for metric, value in zip(scene.objectives, row.values, strict=True)}
    return of_metrics(row.metrics, list(row.metrics)) | reached


def _cells(figures: Mapping[str, str], metrics: Sequence[str]) -> list[str]:
    return [figures.get(metric, NOTHING) for metric in metrics]
