"""How much of what makes trials good each parameter decides, and how sure that is."""

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trivium.errors import TriviumError
from trivium.maths.statistics import Estimate, Floats

Ints = npt.NDArray[np.int64]

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

LEAST_TRIALS = 8
"""Complete trials below which an importance is noise."""
RESAMPLES = 100
_SHUFFLES = 3
"""Shuffled objectives of each resample, whose mean is what chance gives."""
_GOOD_SHARE = 0.5
"""Trials that count as good: PED-ANOVA fits a density to them, and the best tenth of a small study is a trial or two."""


class TooLittle(TriviumError):
    """The trials do not allow to say what matters; the message says why."""


def importance(
    study: "Study", space: "Mapping[str, BaseDistribution]", index: int = 0, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Estimate]:
    """The share of each parameter of `space` in an objective, with a 95 % interval over resampled trials; largest first.

    Optuna's PED-ANOVA measures how far the better half's values of a parameter differ from all trials' values. With few trials
    they differ by chance too, so that each time what shuffled objectives give on the same trials is taken off; what is left,
    and is not below zero, is divided by its sum over the parameters. Shares are all zero where nothing is left.

    Raises `TooLittle` for fewer than eight complete trials, an objective without spread, or a single parameter.
    """
    trials = [t for t in study.get_trials(deepcopy=False) if t.state.name == "COMPLETE" and np.isfinite(t.values[index])]
    names = [name for name in space if any(name in t.params for t in trials)]
    values = np.array([t.values[index] for t in trials], np.float64)
    _require_enough(values, names)
    signed = -values if study.directions[index].name == "MAXIMIZE" else values
    rng = np.random.default_rng(seed)
    whole = np.arange(len(trials))
    real = _divergences(trials, signed, whole, names)
    chance = [_divergences(trials, rng.permutation(signed), whole, names) for _ in range(max(20, resamples // 3))]
    draws = np.array([_above_chance(trials, signed, names, rng) for _ in range(resamples)])
    return _estimates(names, _shares((real - np.mean(chance, 0))[None])[0], _shares(draws))


def sentence(metric: str, found: Mapping[str, Estimate]) -> str:
    """Which parameters surely matter to an objective."""
    sure = [name for name, share in found.items() if share.low > 0]
    if not sure:
        return f"No parameter surely matters to {metric}: every interval of its importance reaches zero."
    others = "" if len(sure) == len(found) else "; the intervals of the others reach zero"
    return f"{_listed(sure)} surely matter{'s' if len(sure) == 1 else ''} to {metric}{others}."


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _require_enough(values: Floats, names: Sequence[str]) -> None:
    if len(values) < LEAST_TRIALS:
        raise TooLittle(f"{len(values)} complete trials do not tell what matters; it takes {LEAST_TRIALS}.")
    if np.ptp(values) == 0:
        raise TooLittle("all trials reached the same value, so nothing mattered.")
    if len(names) < 2:
        raise TooLittle("there is a single parameter, so there is nothing to compare it with.")


def _above_chance(trials: "Sequence[FrozenTrial]", values: Floats, names: Sequence[str], rng: np.random.Generator) -> Floats:
    """Divergences of one resample (P,) beyond those of the same resample under shuffled objectives.

    Trials are shuffled before they are drawn: a trial drawn twice then has one value in both.
    """
    drawn = rng.integers(len(trials), size=len(trials))
    chance = [_divergences(trials, rng.permutation(values), drawn, names) for _ in range(_SHUFFLES)]
    above: Floats = _divergences(trials, values, drawn, names) - np.mean(chance, 0)
    return above


def _divergences(trials: "Sequence[FrozenTrial]", values: Floats, drawn: Ints, names: Sequence[str]) -> Floats:
    """PED-ANOVA of the drawn trials (P,), less being better, in the order of `names`."""
    import optuna

    study = optuna.create_study(direction="minimize")
    study.add_trials(
        [
            optuna.trial.create_trial(params=trials[i].params, distributions=trials[i].distributions, value=float(values[i]))
            for i in drawn
        ]
    )
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=_GOOD_SHARE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # normalize=False is called experimental; small regimes are what the intervals tell
        found = optuna.importance.get_param_importances(study, evaluator=evaluator, normalize=False)
    return np.array([found.get(name, 0.0) for name in names], np.float64)


def _shares(divergences: Floats) -> Floats:
    """What is above zero (R, P) as shares of its sum."""
    above = np.clip(divergences, 0, None)
    total = above.sum(1, keepdims=True)
    shares: Floats = np.divide(above, total, out=np.zeros_like(above), where=total > 0)
    return shares


def _estimates(names: Sequence[str], shares: Floats, draws: Floats) -> dict[str, Estimate]:
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    found = {
        name: Estimate(float(shares[i]), min(float(low[i]), float(shares[i])), max(float(high[i]), float(shares[i])))
        for i, name in enumerate(names)
    }
    return dict(sorted(found.items(), key=lambda item: -item[1].value))
