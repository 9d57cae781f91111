"""The forecast of a run: memory by phase and part, the verdict, what would help, time and price."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from trivium.hardware import detect
from trivium.planner import activations, memory, scorers
from trivium.planner.anatomy import Anatomy, anatomy
from trivium.planner.batch import Batch, Data, batch
from trivium.planner.memory import Phase
from trivium.planner.pace import Pace, earlier_runs, flops_per_token, generates, pace
from trivium.planner.remedies import Remedy, remedies
from trivium.planner.weights import knows_optimiser
from trivium.schema import Config

FITS, TIGHT, TOO_BIG = "fits", "tight", "does not fit"


@dataclass(frozen=True)
class Capacity:
    """Bytes of one device that a run may take, and who says so."""

    bytes: float
    source: str


@dataclass(frozen=True)
class Forecast:
    """What is expected of one training. `price` is in the currency of `plan.price_per_hour`; `seconds` are the training's."""

    model: Anatomy
    batch: Batch
    phases: tuple[Phase, ...]
    capacity: Capacity
    verdict: str
    flops_per_token: float
    pace: Pace
    seconds: float | None
    price: float | None
    notes: tuple[str, ...]
    remedies: tuple[Remedy, ...] = field(default=())

    @property
    def peak(self) -> Phase:
        """The phase that takes most."""
        return max(self.phases, key=lambda phase: phase.total)

    @property
    def tensors(self) -> float:
        """Bytes of tensors at the training's peak, which PyTorch's own measure of a device can be held against."""
        return max(phase.tensors for phase in self.phases if phase.training)

    def metrics(self) -> dict[str, float]:
        """`plan/…` metrics."""
        found = {
            "plan/memory_gb": self.peak.total / 1e9,
            "plan/tensors_gb": self.tensors / 1e9,
            "plan/flops_per_token": self.flops_per_token,
        }
        return found | ({} if self.seconds is None else {"plan/seconds": self.seconds})


def forecast(config: Config, data: Data | None = None, earlier: Sequence[Any] | None = None) -> Forecast:
    """What the configured run will take; with `data`, its rows are counted, else its limits are taken.

    `earlier` are runs of MLflow to reckon the time by; None looks for them. Raises `ModelError` where nothing tells the model's
    size, and `ConfigError` for batches that do not divide.
    """
    model, found = anatomy(config.model), batch(config, data)
    parts = tuple(memory.phases(model, config, found))
    capacity = capacity_of(config)
    verdict = judged(max(phase.total for phase in parts), capacity.bytes, config.plan.tight)
    cost = flops_per_token(model, config, found.length)
    speed = pace(config, cost, earlier_runs(config) if earlier is None else earlier)
    rate, tokens = speed.tokens_per_second, found.tokens
    seconds = None if rate is None or tokens is None else tokens / rate
    hourly = config.plan.price_per_hour
    return Forecast(
        model,
        found,
        parts,
        capacity,
        verdict,
        cost,
        speed,
        seconds,
        None if seconds is None or hourly is None else seconds / 3600 * hourly,
        tuple(_notes(config, model, found)),
        tuple(remedies(config, capacity.bytes, lambda changed: need(changed, data))) if verdict == TOO_BIG else (),
    )


def need(config: Config, data: Data | None = None) -> float:
    """Bytes of the largest phase."""
    model = anatomy(config.model)
    return max(phase.total for phase in memory.phases(model, config, batch(config, data)))


def judged(needed: float, capacity: float, tight: float) -> str:
    """The verdict on so many bytes."""
    return TOO_BIG if needed > capacity else TIGHT if needed >= tight * capacity else FITS


def capacity_of(config: Config) -> Capacity:
    """What one device may give: the tier's memory, or this machine's where none is told, and no more than a limit allows."""
    hardware = config.hardware
    told = hardware.memory_gb
    found = Capacity(told * 1e9, f"hardware={hardware.name}") if told is not None else _this_machine(hardware.device)
    if hardware.memory_limit_gb is not None and hardware.memory_limit_gb * 1e9 < found.bytes:
        return Capacity(hardware.memory_limit_gb * 1e9, "hardware.memory_limit_gb")
    return found


def _this_machine(device: str) -> Capacity:
    machine = detect()
    if device == "cpu":
        return Capacity(float(machine.ram_bytes), "the main memory of this machine")
    return Capacity(machine.usable_gb * 1e9, f"this machine, {machine.name}")


def _notes(config: Config, model: Anatomy, found: Batch) -> list[str]:
    """What makes the forecast rough."""
    notes = []
    if not found.exact:
        notes.append("the data are not counted: rows are taken as long as model.max_length lets them be")
    if found.tokens is None:
        notes.append("how many rows there are is not known before they are prepared, so there is no time")
    if model.model_type not in activations.EXACT:
        notes.append(f"activations are rough: they are counted for other architectures than {model.model_type}")
    if config.backend.name != "torch":
        notes.append(f"activations are rough: they are counted for backend=torch, not {config.backend.name}")
    if config.hardware.device != "cpu":
        notes.append("overhead is rough: what the driver and the allocator take is not measured")
    if not knows_optimiser(config.method.optim):
        notes.append(f"method.optim={config.method.optim} is not known here; its states are reckoned as AdamW's")
    if generates(config):
        notes.append("completions are taken at their longest")
        notes += [f"the size of reward model {path} is not known: it is not downloaded" for path in scorers.unknown(config)]
    return notes
