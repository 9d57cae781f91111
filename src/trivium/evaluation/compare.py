"""Figures with intervals: a tuned model, the base model, and their difference on the same items."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from trivium.evaluation.items import EvalItems, Scores
from trivium.evaluation.persona import GENERAL
from trivium.evaluation.run import Evaluation
from trivium.evaluation.suites import LEVELS, Part
from trivium.evaluation.targets import targets
from trivium.maths import statistics
from trivium.maths.statistics import Estimate, Floats

Metrics = dict[str, float]
Statistic = Callable[[Floats], Floats]

GOLD_LEVELS = {"marginal": 0.3, "good": 0.6, "excellent": 0.85}
"""What the mean gold reward on held-out questions must be."""

WITHOUT_DIRECTION = ("eval/answer_words", "eval/keyword_share")
"""Figures of which neither more nor less is better."""

LESS_IS_BETTER = ("eval/false_refusal", "eval/character_voice_failed", "eval/general_ppl", "eval/general_bpb")
"""Figures that are better when they fall; perplexities of bands are too."""

WITHOUT_BASE = ("style_judge_accuracy",)
"""Figures about the evaluation itself, which are the same for every model."""

RATIO_LEVELS = {"marginal": 1.05, "good": 1.15, "excellent": 1.30}
"""How many times the base model's ratio of perplexities the tuned one's must be."""


def compare(tuned: Scores, base: Scores, parts: list[Part], config: Evaluation) -> Metrics:
    """Flat metrics: `eval/<m>` and `band/<b>/<m>` with `_base`, the difference (`delta_name`), and the intervals of both."""
    metrics: Metrics = {}
    for name in tuned.items:
        if name in WITHOUT_BASE:
            values = list(tuned.items[name].values())
            metrics |= _with_interval(f"eval/{name}", statistics.mean(values, *_settings(config)))
        elif tuned.items[name].keys() & base.items.get(name, {}).keys():
            metrics |= _items(name, tuned, base, config)
    for part in parts:
        if part.stands_for and f"eval/{part.stands_for}" not in metrics:
            prefix, other = f"eval/{part.metric}", f"eval/{part.stands_for}"
            metrics |= {other + k.removeprefix(prefix): v for k, v in metrics.items() if k.startswith(prefix)}
    for name in tuned.readings:
        metrics |= _band(name, tuned, base, config)
    if GENERAL in tuned.readings:
        metrics |= dict(_named("eval/general_ppl_ratio", *_general_ratio(tuned, base, config)))
    if {"low", "high"} <= set(tuned.readings):
        metrics |= _distrust_ratio(tuned, base, config)
    return metrics


def delta_name(metric: str) -> str:
    """Where a figure's difference to the base model is found: `eval/<m>_delta`, and `band/<b>/delta_<m>`."""
    if metric.startswith("band/"):
        group, _, figure = metric.rpartition("/")
        return f"{group}/delta_{figure}"
    return f"{metric}_delta"


def difference(metric: str, a: Scores, b: Scores, config: Evaluation) -> Estimate | None:
    """The paired difference of two arms in an item metric, in the perplexity on general text or in the distrust ratio, None
    where it was not measured in both.
    """
    name = metric.removeprefix("eval/")
    if name == "general_ppl":
        if not a.readings.get(GENERAL, {}).keys() & b.readings.get(GENERAL, {}).keys():
            return None
        return _estimate(_columns(GENERAL, a, b), _minus(_ppl(0), _ppl(1)), config)
    if name == "distrust_ratio":
        return _ratios(a, b, config)[2] if {"low", "high"} <= set(a.readings) & set(b.readings) else None
    shared = sorted(set(a.items.get(name, {})) & set(b.items.get(name, {})))
    if not shared:
        return None
    left, right = ([scores.items[name][item] for item in shared] for scores in (a, b))
    return statistics.difference(left, right, *_settings(config))


def verdicts(metrics: Mapping[str, float], items: EvalItems) -> dict[str, str]:
    """A word for every figure, from the end of its interval that is worse, so that luck does not pass.

    Suites, the gold reward and the distrust ratio: excellent, good, marginal, failed. Targets of a persona: reached or missed.
    Perplexities and other scores of held-out answers: better, worse or unchanged against the base.
    """
    found: dict[str, str] = {}
    for target in targets(items.persona.targets) if items.persona else ():
        if target.metric in metrics:
            found[target.metric] = "reached" if target.reached(metrics) else "missed"
    if "eval/gold_reward_ci_low" in metrics:
        found["eval/gold_reward"] = level(metrics["eval/gold_reward_ci_low"], GOLD_LEVELS)
    for part in items.parts:
        for name in (part.metric, part.stands_for):
            if name and f"eval/{name}_ci_low" in metrics:
                found.setdefault(f"eval/{name}", level(metrics[f"eval/{name}_ci_low"], part.thresholds))
    if "eval/distrust_ratio_change_ci_low" in metrics:
        found["eval/distrust_ratio"] = level(metrics["eval/distrust_ratio_change_ci_low"], RATIO_LEVELS)
    for name in metrics:
        low, high = (metrics.get(f"{delta_name(name)}_ci_{end}") for end in ("low", "high"))
        if low is None or high is None or name in found or name in WITHOUT_DIRECTION:
            continue
        falls = name.startswith("band/") or name in LESS_IS_BETTER
        rose, fell = ("worse", "better") if falls else ("better", "worse")
        found[name] = fell if high < 0 else rose if low > 0 else "unchanged"
    return found


def level(value: float, thresholds: Mapping[str, float]) -> str:
    """The highest level whose threshold the value reaches, or failed.

    >>> level(0.7, {"marginal": 0.5, "good": 0.66, "excellent": 0.85})
    'good'
    """
    reached = [name for name in LEVELS if value >= thresholds[name]]
    return reached[-1] if reached else "failed"


def _items(name: str, tuned: Scores, base: Scores, config: Evaluation) -> Metrics:
    ids = sorted(tuned.items[name].keys() & base.items[name].keys())
    values, before = (np.array([scores.items[name][i] for i in ids]) for scores in (tuned, base))
    change = statistics.difference(values, before, *_settings(config))
    return dict(_named(f"eval/{name}", statistics.mean(values, *_settings(config)), float(before.mean()), change))


def _band(name: str, tuned: Scores, base: Scores, config: Evaluation) -> Metrics:
    """Perplexity per token and bits per byte over the band's documents, resampled by document."""
    columns = _columns(name, tuned, base)
    prefix = "eval/general_" if name == GENERAL else f"band/{name}/"
    metrics: Metrics = {}
    for figure, statistic in {"ppl": _ppl, "bpb": _bpb}.items():
        now, before = _estimate(columns, statistic(0), config), _estimate(columns, statistic(1), config)
        change = _estimate(columns, _minus(statistic(0), statistic(1)), config)
        metrics |= dict(_named(f"{prefix}{figure}", now, before.value, change))
    return metrics


def _general_ratio(tuned: Scores, base: Scores, config: Evaluation) -> tuple[Estimate, float, Estimate]:
    """Perplexity on general text over the base model's, which is 1, and its difference to that."""
    columns = _columns(GENERAL, tuned, base)
    ratio = _estimate(columns, lambda means: _ppl(0)(means) / _ppl(1)(means), config)
    return ratio, 1.0, Estimate(*(value - 1 for value in ratio))


def _distrust_ratio(tuned: Scores, base: Scores, config: Evaluation) -> Metrics:
    """Perplexity of high-authority documents over that of low-authority ones: above 1, primary records are likelier.

    Texts of the bands differ in themselves, so the verdict rests on `distrust_ratio_change`, the tuned model's ratio over
    the base model's.
    """
    ratio, before, difference, change = _ratios(tuned, base, config)
    metrics = dict(_named("eval/distrust_ratio", ratio, before, difference))
    return metrics | _with_interval("eval/distrust_ratio_change", change)


def _ratios(a: Scores, b: Scores, config: Evaluation) -> tuple[Estimate, float, Estimate, Estimate]:
    """The ratio of `a`, that of `b`, their difference and their quotient, from the same resampled documents."""
    columns = [_columns(band, a, b) for band in ("high", "low")]
    draws = [_resampled(column, config, stream) for stream, column in enumerate(columns)]
    drawn, found = [], []
    for model in (0, 1):
        high, low = (_ppl(model)(means) for means in draws)
        drawn.append(high / low)
        high, low = (_ppl(model)(column.mean(0)) for column in columns)
        found.append(float(high / low))
    return (
        _interval(found[0], drawn[0], config),
        found[1],
        _interval(found[0] - found[1], drawn[0] - drawn[1], config),
        _interval(found[0] / found[1], drawn[0] / drawn[1], config),
    )


def _resampled(columns: Floats, config: Evaluation, stream: int) -> Floats:
    return statistics.resampled_means(columns, config.bootstrap_samples, config.seed + stream)


def _interval(figure: float, draws: Floats, config: Evaluation) -> Estimate:
    low, high = np.quantile(draws, [(1 - config.confidence) / 2, (1 + config.confidence) / 2])
    return Estimate(figure, min(float(low), figure), max(float(high), figure))


def _columns(band: str, tuned: Scores, base: Scores) -> Floats:
    """Per document (N, 4): nats of the tuned and of the base model, tokens, bytes."""
    readings, before = tuned.readings[band], base.readings[band]
    rows = [(readings[i].nats, before[i].nats, readings[i].tokens, readings[i].bytes) for i in sorted(readings)]
    return np.array(rows, np.float64)


def _ppl(model: int) -> Statistic:
    return lambda means: np.exp(means[..., model] / means[..., 2])


def _bpb(model: int) -> Statistic:
    return lambda means: means[..., model] / np.log(2) / means[..., 3]


def _minus(a: Statistic, b: Statistic) -> Statistic:
    return lambda means: a(means) - b(means)


def _settings(config: Evaluation) -> tuple[int, float, int]:
    return config.bootstrap_samples, config.confidence, config.seed


def _estimate(columns: Floats, statistic: Statistic, config: Evaluation) -> Estimate:
    return statistics.bootstrap(columns, statistic, *_settings(config))


def _named(name: str, now: Estimate, before: float, change: Estimate) -> Iterator[tuple[str, float]]:
    yield from _with_interval(name, now).items()
    yield f"{name}_base", before
    yield from _with_interval(delta_name(name), change).items()


def _with_interval(name: str, estimate: Estimate) -> Metrics:
    return {name: estimate.value, f"{name}_ci_low": estimate.low, f"{name}_ci_high": estimate.high}
