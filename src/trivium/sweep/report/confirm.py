"""Was it luck? The best point and the default, trained again with seeds that the search never saw."""

from collections.abc import Mapping, Sequence

from trivium.maths.statistics import Estimate, t_interval
from trivium.sweep.report.facts import Comparison, StudyFacts
from trivium.sweep.report.intervals import compact, has_interval, shown

BEST, DEFAULT = "best", "default"


def comparisons(facts: StudyFacts, objectives: Sequence[str], which: str = BEST) -> list[Comparison]:
    """A point beside the default in each metric; empty where it was not trained again. Differences are paired by seed."""
    found = []
    for metric in objectives:
        point, default = _by_seed(facts, which, metric), _by_seed(facts, DEFAULT, metric)
        if not point:
            continue
        shared = sorted(point.keys() & default.keys())
        found.append(
            Comparison(
                metric,
                t_interval(list(point.values())),
                len(point),
                t_interval(list(default.values())) if default else None,
                t_interval([point[seed] - default[seed] for seed in shared]) if shared else None,
            )
        )
    return found


def points(facts: StudyFacts) -> list[str]:
    """What was trained again besides the default: best, or front-0, front-1 …"""
    return list(dict.fromkeys(one.which for one in facts.confirmed if one.which != DEFAULT))


def words(which: str) -> str:
    """A point's name in a sentence: `best`, `front 0`."""
    return which.replace("-", " ")


def verdict(found: Comparison, maximised: bool) -> str:
    """Whether the best point beats the default, told as plainly when it does not."""
    if found.difference is None:
        return f"{found.metric} of the best point, trained again with fresh seeds: {shown(found.best)}."
    seeds = "one fresh seed" if found.seeds == 1 else f"{found.seeds} fresh seeds"
    told = f"{found.metric}: over {seeds}, best minus default is {signed(found.difference)}; "
    return told + _judged(found.difference, maximised)


def of_front(metric: str, direction: str, compared: Mapping[str, Sequence[Comparison]]) -> list[str]:
    """A sentence, or none, on which points of a front are surely better or worse than the default in an objective."""
    groups: dict[str, list[str]] = {"better than": [], "worse than": [], "not surely different from": []}
    for which, found in compared.items():
        for difference in (one.difference for one in found if one.metric == metric and one.difference is not None):
            sure = has_interval(difference) and not difference.low <= 0 <= difference.high
            better = (difference.value > 0) == (direction == "maximize")
            groups["not surely different from" if not sure else "better than" if better else "worse than"].append(words(which))
    told = [f"{', '.join(points)} {'is' if len(points) == 1 else 'are'} {how}" for how, points in groups.items() if points]
    return [f"{metric}, over fresh seeds: {' the default; '.join(told)} the default."] if told else []


def fall(reached: Estimate, found: Comparison, maximised: bool) -> list[str]:
    """A sentence, or none, where the study promised more than fresh seeds gave: the best of many is lucky too."""
    promised = reached.value - found.best.value if maximised else found.best.value - reached.value
    if promised <= 0 or not has_interval(found.best) or found.best.low <= reached.value <= found.best.high:
        return []
    promised_figure = compact(reached.value)
    return [f"The study promised {promised_figure}, and fresh seeds give {shown(found.best)}: trust the latter."]


def signed(difference: Estimate) -> str:
    """`+0.350 [+0.200, +0.500]`."""
    if not has_interval(difference):
        return f"{difference.value:+.3f}"
    return f"{difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def _judged(difference: Estimate, maximised: bool) -> str:
    if not has_interval(difference):
        return "one seed, or seeds that all agree, give no interval, so that luck is not ruled out."
    if difference.low <= 0 <= difference.high:
        return "the interval holds 0, so that it may be luck: this study has not shown that its best point beats the default."
    if (difference.value > 0) == maximised:
        return "the interval excludes 0, so that it is better, and not by luck."
    return "the interval excludes 0 on the wrong side: the best point is worse than the default."


def _by_seed(facts: StudyFacts, which: str, metric: str) -> Mapping[int, float]:
    return {one.seed: float(one.metrics[metric]) for one in facts.confirmed if one.which == which and metric in one.metrics}
