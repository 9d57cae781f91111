"""How long a training takes, by what earlier ones on the same machine did, and how wrong such forecasts were."""

import logging
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trivium.planner.anatomy import Anatomy
from trivium.schema import Config, FullAdapter, GrpoMethod, MlflowTracking
from trivium.tracking import store

logger = logging.getLogger(__name__)
RATE, COST, MISS = "system/tokens_per_second", "plan/flops_per_token", "plan/seconds_error"
SAME_MACHINE = ("hardware.name", "hardware.dtype", "hardware.throttle", "hardware.num_processes", "backend.name", "method.name")
SAME_MODEL = ("model.name", "adapter.name")
"""Parameters by which an earlier run is of the same machine, and of the same model."""
_LOOKED_AT = 200
_NEWEST = 5


@dataclass(frozen=True)
class Pace:
    """Tokens a second, None where nothing tells; what they rest on; and how far earlier forecasts were off (measured /
    predicted − 1).
    """

    tokens_per_second: float | None
    basis: str
    misses: tuple[float, ...] = ()

    def missed(self) -> str:
        """The errors of earlier forecasts in words; empty without any."""
        if not self.misses:
            return ""
        low, high, middle = min(self.misses), max(self.misses), statistics.median(self.misses)
        if len(self.misses) == 1:
            return f"the one earlier forecast was off by {middle:+.0%}"
        return f"{len(self.misses)} earlier forecasts were off by {middle:+.0%} ({low:+.0%} … {high:+.0%})"


def flops_per_token(model: Anatomy, config: Config, length: int) -> float:
    """Floating point operations that training takes for a token: 2 a weight forward and 2 each for the gradients of values and
    of weights (the last only of those that train), attention beside them, and the forward pass again with checkpointing.
    """
    embedding = 0 if model.tied else model.vocab_size * model.hidden_size
    forward = 2.0 * (model.parameters - embedding) + 2.0 * length * model.queries * model.layers
    passes = 3 if isinstance(config.adapter, FullAdapter) else 2
    return forward * (passes + config.hardware.gradient_checkpointing)


def pace(config: Config, cost: float, earlier: Sequence[Any]) -> Pace:
    """What earlier runs tell of one that takes `cost` operations a token."""
    if config.plan.tokens_per_second is not None:
        return Pace(config.plan.tokens_per_second, "plan.tokens_per_second")
    nothing = Pace(None, "no earlier run to reckon by; plan.tokens_per_second may tell")
    runs = [run for run in earlier if _alike(config, run.data.params, SAME_MACHINE)]
    misses = tuple(run.data.metrics[MISS] for run in runs if MISS in run.data.metrics)
    same = [run for run in runs if _alike(config, run.data.params, SAME_MODEL)]
    if not runs:
        return nothing
    rates = [run.data.metrics[RATE] * run.data.metrics.get(COST, cost) / cost for run in (same or runs)[:_NEWEST]]
    whose = "of this model" if same else "of other models, by operations,"
    return Pace(statistics.median(rates), f"{_runs(len(rates))} {whose} on this machine", misses)


def _runs(count: int) -> str:
    return f"{count} earlier run{'s' * (count != 1)}"


def earlier_runs(config: Config) -> list[Any]:
    """The newest runs that trained, in the configured MLflow store; none is made by looking, and one that does not answer tells
    nothing.
    """
    tracking = config.tracking
    if not isinstance(tracking, MlflowTracking) or config.plan.tokens_per_second is not None:
        return []
    path = store.database(tracking.uri)
    if path is not None and not path.is_file():
        return []
    import mlflow

    try:
        client = mlflow.MlflowClient(tracking_uri=store.with_timeout(tracking.uri, tracking.timeout))
        experiment = client.get_experiment_by_name(tracking.experiment)
        if experiment is None:
            return []
        query, newest = f"metrics.`{RATE}` > 0", ["attributes.start_time DESC"]
        return list(client.search_runs([experiment.experiment_id], query, order_by=newest, max_results=_LOOKED_AT))
    except store.failures() as error:
        logger.info("earlier runs cannot be looked at: %s", store.reason(error))
        return []


def _alike(config: Config, params: Mapping[str, str], keys: tuple[str, ...]) -> bool:
    return all(params.get(key) == str(_value(config, key)) for key in keys)


def _value(config: Config, key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    return value


def generates(config: Config) -> bool:
    """Whether most of the time goes into generation, of which operations tell little."""
    return isinstance(config.method, GrpoMethod)
