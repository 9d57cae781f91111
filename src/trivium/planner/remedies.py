"""What would make a run fit: overrides that are planned again to be sure, in the order of what they cost."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import combinations
from typing import Any

from trivium.compose import conf_dir, options
from trivium.schema import (
    Config,
    FullAdapter,
    GrpoMethod,
    HardwareConfig,
    LoraAdapter,
    ModelConfig,
    ModelShape,
    NoneConfig,
    QloraAdapter,
)

Need = Callable[[Config], float]
"""Bytes that the largest phase of a configuration takes."""
Forms = Iterator[tuple[tuple[str, ...], Config]]
"""Ever stronger forms of one change: overrides, and the configuration with them."""
LEAST_LENGTH, LEAST_RANK = 256, 8
_TOGETHER = 4
"""Remedies that are put together at most."""


@dataclass(frozen=True)
class Remedy:
    """Overrides to paste, what they cost in words, and the bytes that are needed then."""

    overrides: tuple[str, ...]
    cost: str
    need: float


@dataclass(frozen=True)
class _Change:
    """One thing to change, and what that costs."""

    cost: str
    forms: Callable[[Config], Forms]


def remedies(config: Config, capacity: float, need: Need) -> list[Remedy]:
    """Ways to fit into so many bytes, the cheapest first: each by itself, or together where none is enough; then other machines
    and smaller models.
    """
    alone = [found for change in CHANGES if (found := _weakest(config, (), [change], capacity, need))]
    return [*(alone or _together(config, capacity, need)), *_elsewhere(config, capacity, need)]


def _together(config: Config, capacity: float, need: Need) -> list[Remedy]:
    """As few changes as fit together, the cheapest of several: all but the last in their strongest form."""
    for count in range(2, _TOGETHER + 1):
        for chosen in combinations(CHANGES, count):
            before = _strongest(config, chosen[:-1])
            if before is not None and (found := _weakest(before[1], before[0], chosen, capacity, need)):
                return [found]
    return []


def _strongest(config: Config, chosen: Sequence[_Change]) -> tuple[tuple[str, ...], Config] | None:
    """The changes one after another; None where one of them has nothing left to change."""
    words: tuple[str, ...] = ()
    for change in chosen:
        forms = list(change.forms(config))
        if not forms:
            return None
        words, config = (*words, *forms[-1][0]), forms[-1][1]
    return words, config


def _weakest(config: Config, words: tuple[str, ...], chosen: Sequence[_Change], capacity: float, need: Need) -> Remedy | None:
    """The weakest form of the last change that fits, on top of what the others changed."""
    for more, changed in chosen[-1].forms(config):
        if (bytes_needed := need(changed)) <= capacity:
            return Remedy((*words, *more), "; ".join(change.cost for change in chosen), bytes_needed)
    return None


def _on(config: Config, **changes: Any) -> Config:
    return replace(config, hardware=replace(config.hardware, **changes))


def _checkpointing(config: Config) -> Forms:
    if not config.hardware.gradient_checkpointing:
        yield ("hardware.gradient_checkpointing=true",), _on(config, gradient_checkpointing=True)


def _micro_batches(config: Config) -> Forms:
    micro = min(config.hardware.per_device_train_batch_size, config.method.total_batch_size)
    for size in range(micro - 1, 0, -1):
        if config.method.total_batch_size % size == 0:
            yield (f"hardware.per_device_train_batch_size={size}",), _on(config, per_device_train_batch_size=size)


def _evaluation_batches(config: Config) -> Forms:
    tokens = config.hardware.eval_batch_tokens // 2
    while tokens >= LEAST_LENGTH:
        yield (f"hardware.eval_batch_tokens={tokens}",), _on(config, eval_batch_tokens=tokens)
        tokens //= 2


def _quantised_evaluation(config: Config) -> Forms:
    if isinstance(config.adapter, QloraAdapter) and not config.hardware.eval_quantised:
        yield ("hardware.eval_quantised=true",), _on(config, eval_quantised=True)


def _quantised(config: Config) -> Forms:
    adapter = config.adapter
    if not isinstance(adapter, LoraAdapter) or isinstance(adapter, QloraAdapter) or config.hardware.device == "cpu":
        return
    for bits in sorted(config.hardware.quantisation, reverse=True):
        words = ("adapter=qlora", f"adapter.bits={bits}")
        yield words, replace(config, adapter=QloraAdapter(**{**asdict(adapter), "name": "qlora", "bits": bits}))


def _adapter(config: Config) -> Forms:
    if isinstance(config.adapter, FullAdapter):
        yield ("adapter=lora",), replace(config, adapter=LoraAdapter())


def _ranks(config: Config) -> Forms:
    adapter = config.adapter
    rank = adapter.r // 2 if isinstance(adapter, LoraAdapter) else 0
    while isinstance(adapter, LoraAdapter) and rank >= LEAST_RANK:
        yield (f"adapter.r={rank}",), replace(config, adapter=replace(adapter, r=rank))
        rank //= 2


def _lengths(config: Config) -> Forms:
    length, method = config.model.max_length // 2, config.method
    while length >= LEAST_LENGTH:
        changed = replace(config, model=replace(config.model, max_length=length))
        if not isinstance(method, GrpoMethod):
            yield (f"model.max_length={length}",), changed
        else:
            completion = min(method.max_completion_length, length // 2)
            words = (f"model.max_length={length}", f"method.max_completion_length={completion}")
            yield words, replace(changed, method=replace(method, max_completion_length=completion))
        length //= 2


def _unevaluated(config: Config) -> Forms:
    if "evaluate" in config.stages and not isinstance(config.evaluation, NoneConfig):
        yield ("evaluation=none",), replace(config, evaluation=NoneConfig())


CHANGES = (
    _Change("about a third more time", _checkpointing),
    _Change("more, smaller steps on the device: slower, the same result", _micro_batches),
    _Change("a slower evaluation", _evaluation_batches),
    _Change("a little quality: the base is quantised while it trains", _quantised),
    _Change("the base is quantised while it is measured, too", _quantised_evaluation),
    _Change("no full fine-tuning: an adapter learns less", _adapter),
    _Change("a smaller adapter learns less", _ranks),
    _Change("data: what is longer is cut", _lengths),
    _Change("no evaluation", _unevaluated),
)
"""From what costs time only to what costs quality or data."""


# --- other machines and models ---------------------------------------------------------------------------------------


def _elsewhere(config: Config, capacity: float, need: Need) -> Iterator[Remedy]:
    """A bigger tier of the same make, more devices, a smaller model: the nearest of each."""
    hardware = config.hardware
    for tier in sorted(_tiers(hardware), key=lambda tier: tier.memory_gb or 0):
        changed = replace(config, hardware=tier)
        if (tier.memory_gb or 0) * 1e9 > capacity and (bytes_needed := need(changed)) <= (tier.memory_gb or 0) * 1e9:
            yield Remedy((f"hardware={tier.name}", *_set_by_hand(hardware, tier)), "another machine", bytes_needed)
            break
    if hardware.device == "cuda" and isinstance(config.adapter, FullAdapter | LoraAdapter) and hardware.num_processes == 1:
        yield from _shared(config, capacity, need)
    for model in sorted(_smaller(config.model), key=lambda model: -_size(model.shape)):
        changed = replace(config, model=replace(model, max_length=min(model.max_length, config.model.max_length)))
        if (bytes_needed := need(changed)) <= capacity:
            words = (f"model={model.name}", f"model.max_length={changed.model.max_length}")
            yield Remedy(words, "another, smaller model", bytes_needed)
            break


def _set_by_hand(hardware: HardwareConfig, tier: HardwareConfig) -> Iterator[str]:
    """A tier's own values of what was set otherwise than the tier at hand has it, for that would stay."""
    own = HardwareConfig(**_told("hardware", hardware.name)) if hardware.name in options("hardware") else hardware
    for field in fields(HardwareConfig):
        if getattr(own, field.name) != getattr(hardware, field.name):
            value = getattr(tier, field.name)
            yield f"hardware.{field.name}={'null' if value is None else str(value).lower()}"


def _shared(config: Config, capacity: float, need: Need) -> Iterator[Remedy]:
    for devices in (2, 4, 8):
        changed = _on(config, num_processes=devices, parallel="fsdp2")
        if config.method.total_batch_size % devices == 0 and (bytes_needed := need(changed)) <= capacity:
            words = (f"hardware.num_processes={devices}", "hardware.parallel=fsdp2")
            yield Remedy(words, f"{devices} such devices", bytes_needed)
            return


def _tiers(hardware: HardwareConfig) -> Iterator[HardwareConfig]:
    for name in options("hardware"):
        told = _told("hardware", name)
        if told.get("vendor") == hardware.vendor and hardware.vendor is not None and told.get("memory_gb"):
            yield HardwareConfig(**told)


def _smaller(model: ModelConfig) -> Iterator[ModelConfig]:
    """The shipped models that are smaller than one whose shape is told."""
    for name in options("model"):
        told = _told("model", name)
        if told.get("shape"):
            other = ModelConfig(**{**told, "shape": ModelShape(**told["shape"])})
            if 0 < _size(other.shape) < _size(model.shape):
                yield other


def _size(shape: ModelShape) -> int:
    return shape.num_hidden_layers * shape.hidden_size * shape.intermediate_size


def _told(group: str, name: str) -> dict[str, Any]:
    """What a shipped option says, without what it is put together from."""
    import yaml

    text = (conf_dir() / group / f"{name}.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text) or {}
    return {key: value for key, value in found.items() if key != "defaults"}
