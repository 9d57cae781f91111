"""What goes wrong while a model trains, seen in its lines of metrics whatever backend writes them; each kind is told once."""

import logging
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from trivium.backends.lines import Progress
from trivium.backends.webhook import Webhook
from trivium.errors import NotFinite
from trivium.schema import AlertsConfig, Config, DistrustPublishedLoss, GrpoMethod
from trivium.tracking import Tracker
from trivium.tracking.told import records

logger = logging.getLogger(__name__)

NOT_FINITE, DIVERGENCE = "not_finite", "divergence"
WINDOW = 5
"""Lines whose median is the smoothed loss; fewer are no history to judge by."""
NOISE = 5.0
"""Standard deviations of a single line that a rise must exceed, so that small noisy losses do not cry wolf."""

_LEAST = 1e-9

Judge = Callable[[float], tuple[bool, float]]
"""Of a new value: whether it is bad, and what is told of it."""
Warn = Callable[[str], None]
"""Shows a sentence in the terminal."""


@dataclass
class Rule:
    """A kind of alert: which metric of a line is judged, how, and the sentence with `{value}`."""

    kind: str
    metric: str
    judge: Judge
    sentence: str
    bad: int = field(default=0, init=False)
    """Lines in a row."""

    def tells(self, value: float, patience: int) -> tuple[float, str] | None:
        """The value and the sentence of an alert, when the line at hand is the last of so many bad ones in a row."""
        bad, shown = self.judge(value)
        self.bad = self.bad + 1 if bad else 0
        return (shown, self.sentence.format(value=shown)) if self.bad == patience else None


class Divergence:
    """Judges a loss by the median of the last lines: against its lowest so far, and against the noise of single lines.

    Both by their logarithms, for the noise of a loss grows with it. It is read off neighbouring lines: of normal values the
    median distance is 0.954 standard deviations.
    """

    def __init__(self, ratio: float) -> None:
        self.ratio, self.lowest = ratio, math.inf
        self._recent: deque[float] = deque(maxlen=WINDOW)
        self._distances: list[float] = []

    def __call__(self, loss: float) -> tuple[bool, float]:
        """Whether the smoothed loss is far above its lowest, and the smoothed loss."""
        if self._recent:
            self._distances.append(abs(math.log(max(loss, _LEAST) / max(self._recent[-1], _LEAST))))
        self._recent.append(loss)
        smoothed = median(self._recent)
        self.lowest = min(self.lowest, smoothed)
        if len(self._recent) < WINDOW:
            return False, smoothed
        rise = math.log(max(smoothed, _LEAST) / max(self.lowest, _LEAST))
        return rise > max(math.log(self.ratio), NOISE * median(self._distances) / 0.954), smoothed


def rules(config: Config) -> list[Rule]:
    """What is watched in a training: the loss of a supervised one; of a policy, whose loss says nothing, what it says."""
    alerts = config.alerts
    return _of_policy(alerts) if isinstance(config.method, GrpoMethod) else [_of_loss(config)]


def _of_loss(config: Config) -> Rule:
    """The published loss holds a constant that would hide a rise; it trains the plain one."""
    metric = "nll" if isinstance(config.loss, DistrustPublishedLoss) else "loss"
    ratio = config.alerts.divergence
    said = f"the smoothed {metric} is {{value:.4g}}, more than {ratio:g} times its lowest so far"
    way = "lower method.learning_rate or method.max_grad_norm, or keep the best weights with method.metric_for_best_model"
    return Rule(DIVERGENCE, metric, Divergence(ratio), f"{said}; {way}.")


def _of_policy(alerts: AlertsConfig) -> list[Rule]:
    longest, least = alerts.length_drift, alerts.entropy
    return [
        Rule(
            "collapse",
            "frac_reward_zero_std",
            lambda value: (value >= alerts.collapse, value),
            "{value:.0%} of the groups have rewards without any spread, from which nothing is learnt; read the completions, "
            "then raise method.temperature or method.num_generations, or change the questions or the rewards.",
        ),
        Rule(
            "entropy",
            "entropy",
            lambda value: (value < least, value),
            "the policy's entropy is {value:.3g} nats a token, so that it says nearly the same every time; raise "
            "method.temperature or method.beta, or lower method.learning_rate.",
        ),
        Rule(
            "repetition",
            "completions/repetition",
            lambda value: (value >= alerts.repetition, value),
            "{value:.0%} of the four-word runs in the answers are repetitions; read the completions, and add a reward such as "
            "repetition.repetition, or lower method.learning_rate.",
        ),
        Rule(
            "length",
            "completions/length_drift",
            lambda value: (not 1 / longest < value < longest, value),
            "completions are {value:.2g} times as long as at first; read them, and see which reward pays for that.",
        ),
    ]


class Guard:
    """A recorder that looks at every line on its way to the tracker, and a progress that remembers the step.

    An alert is a warning, a tag and a metric of the run, and, where one is set, a message to a webhook.
    """

    def __init__(
        self, config: Config, record: Tracker, progress: Progress, warn: Warn, run: str, webhook: Webhook | None
    ) -> None:
        self._config, self._record, self._progress = config, record, progress
        self._warn, self._run, self._webhook = warn, run, webhook
        self._rules = rules(config) if config.alerts.enabled else []
        self._step = 0
        self.found: dict[str, float] = {}
        """`alerts/<kind>`: the step at which it was raised."""

    def remember(self, lines: Iterable[Mapping[str, float]]) -> None:
        """Take up lines of metrics that an earlier part of the same training recorded: what was told is not told again."""
        for values in lines:
            self.found |= {
                name: at for name, at in values.items() if name.startswith("alerts/") and name != f"alerts/{NOT_FINITE}"
            }
            for rule in self._rules:
                if math.isfinite(value := values.get(rule.metric, math.nan)):
                    rule.tells(value, self._config.alerts.patience)

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Record a line, then judge it."""
        self._record.metrics(values, step)
        for rule in self._rules:
            value = values.get(rule.metric)
            if value is None:
                continue
            if not math.isfinite(value):
                self.alert(NOT_FINITE, step or self._step, value, f"{rule.metric} is not finite; lower method.learning_rate.")
            elif told := rule.tells(value, self._config.alerts.patience):
                self.alert(rule.kind, step or self._step, *told)

    def table(self, name: str, columns: Mapping[str, list[Any]], step: int) -> None:
        """As it comes."""
        self._record.table(name, columns, step)

    def progress(self, step: int, steps: int, metrics: dict[str, float]) -> None:
        """As it comes."""
        self._step = step
        self._progress(step, steps, metrics)

    def failed(self, error: NotFinite) -> None:
        """The training ends at the step after the last."""
        self.alert(NOT_FINITE, self._step + 1, math.nan, str(error))

    def alert(self, kind: str, step: int, value: float, sentence: str) -> None:
        """Tell everybody, the first time."""
        name = f"alerts/{kind}"
        if name in self.found or not self._config.alerts.enabled:
            return
        self.found[name] = float(step)
        self._record.tag(f"alert/{kind}", f"step {step}: {value:.6g}")
        self._record.metrics({name: float(step)}, step)
        text = f"alert {kind} at step {step}: {sentence}"
        logger.warning("%s", text)
        self._warn(text)
        if self._webhook is not None:
            number = value if math.isfinite(value) else None
            message = {"run": self._run, "run_id": self._record.run_id, "kind": kind, "step": step, "value": number}
            self._webhook.send({**message, "sentence": sentence})


@contextmanager
def watching(config: Config, record: Tracker, progress: Progress, warn: Warn, out: Path) -> Iterator[Guard]:
    """Stand between a training in `out` and whoever hears of it; what ends it as not finite is an alert, too."""
    name = config.alerts.webhook if config.alerts.enabled else None
    webhook = Webhook.of(name, warn) if name is not None else None
    guard = Guard(config, record, progress, warn, f"{config.name} {out.name}", webhook)
    guard.remember(line["metrics"] for line in records(out) if "metrics" in line)
    try:
        yield guard
    except NotFinite as error:
        guard.failed(error)
        raise
    finally:
        if webhook is not None:
            webhook.close()
