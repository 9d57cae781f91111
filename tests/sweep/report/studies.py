"""Made-up studies: trials as a sweep would tell them, without any training."""

import math
import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from trivium.sweep.report import Confirmed, StudyFacts

optuna.logging.set_verbosity(optuna.logging.ERROR)

PREFERENCE, RATIO = "eval/source_preference", "eval/general_ppl_ratio"
BEGAN = datetime(2026, 1, 1)
SPACE: dict[str, BaseDistribution] = {
    "loss.alpha": FloatDistribution(0.05, 8, log=True),
    "adapter.r": IntDistribution(4, 64),
    "loss": CategoricalDistribution(["distrust", "uniform", "distrust_sampled"]),
}


def trial(
    number: int, params: Mapping[str, Any], space: Mapping[str, BaseDistribution], *values: float, **told: Any
) -> FrozenTrial:
    """A trial of 10 s, one every 8 s; `state`, `steps` and `violation` are taken out of what is told as user attributes."""
    state, steps, violation = told.pop("state", TrialState.COMPLETE), told.pop("steps", {}), told.pop("violation", None)
    attributes = {"overrides": [f"{k}={v}" for k, v in params.items()], "worker": f"w{number % 2}", "seconds": 10.0, **told}
    made = create_trial(
        state=state,
        params=dict(params),
        distributions=dict(space),
        values=list(values) or None,
        user_attrs=attributes,
        intermediate_values=steps,
        system_attrs={} if violation is None else {"constraints": [violation]},
    )
    made.datetime_start = BEGAN + timedelta(seconds=8 * number)
    made.datetime_complete = None if state is TrialState.RUNNING else made.datetime_start + timedelta(seconds=10)
    return made


def random_study(count: int, value: Callable[[Mapping[str, Any], random.Random], float], seed: int = 0) -> optuna.Study:
    """Trials at random points of SPACE, to be maximised."""
    study, rng = optuna.create_study(direction="maximize"), random.Random(seed)
    for number in range(count):
        params = {
            "loss.alpha": math.exp(rng.uniform(math.log(0.05), math.log(8))),
            "adapter.r": rng.randint(4, 64),
            "loss": rng.choice(["distrust", "uniform", "distrust_sampled"]),
        }
        study.add_trial(trial(number, params, SPACE, value(params, rng)))
    return study


def alpha_study() -> tuple[optuna.Study, StudyFacts]:
    """Six values of alpha, the last the best, with intervals."""
    space: dict[str, BaseDistribution] = {"loss.alpha": CategoricalDistribution([0, 0.1, 0.3, 1, 2.7, 8])}
    study = optuna.create_study(direction="maximize")
    for number, (alpha, value) in enumerate(zip([0, 0.1, 0.3, 1, 2.7, 8], [0.12, 0.25, 0.36, 0.71, 0.9, 0.94], strict=True)):
        metrics = {PREFERENCE: value, f"{PREFERENCE}_ci_low": value - 0.05, f"{PREFERENCE}_ci_high": value + 0.05}
        study.add_trial(trial(number, {"loss.alpha": alpha}, space, value, metrics=metrics, run_id=f"run{number}"))
    facts = StudyFacts(
        "alpha", "distrust", 6, ["adapter.r=8"], {"loss.alpha": "choice(0,0.1,0.3,1,2.7,8)"}, space, {PREFERENCE: 0.12}
    )
    return study, facts


def confirmed(**values: list[float]) -> list[Confirmed]:
    """Trainings with fresh seeds, by point; `front_0` stands for front-0."""
    return [
        Confirmed(which.replace("_", "-"), seed, {PREFERENCE: value}, Path(f"{which}-{seed}"))
        for which, found in values.items()
        for seed, value in enumerate(found)
    ]
