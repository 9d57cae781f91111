"""Bytes of one device in each phase of a run: what stays, and what comes and goes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from trivium.planner import activations, weights
from trivium.planner.activations import Step
from trivium.planner.anatomy import Anatomy
from trivium.planner.batch import Batch, generated_at_once, processes
from trivium.schema import Config, FullAdapter, GrpoMethod, LoraAdapter, NoneConfig

MAX_LOGITS = 1 << 26
"""As `models.head.MAX_LOGITS`, which cannot be read without PyTorch."""
LOGIT_BYTES = 16
"""A logit while it is scored: itself, its log-softmax, and softmax and product of the entropy, all in float32."""
UNTRAINED_LOGIT_BYTES = 12
"""The same without gradients, when the log-softmax need not be kept."""
TILE = (4096, 32768)
"""Positions and entries of the vocabulary that TRL's policies score at once."""
TILE_BYTES = 29
"""A logit of a tile in its backward pass in PyTorch: seven values in float32 and a mask."""
PARTS = (
    "weights",
    "adapter",
    "gradients",
    "optimiser",
    "activations",
    "logits",
    "kv cache",
    "reward models",
    "overhead",
)


@dataclass(frozen=True)
class Phase:
    """One phase: bytes of a device by part. `training` marks those that a measured peak of the training covers."""

    name: str
    parts: Mapping[str, float]
    training: bool = True

    @property
    def total(self) -> float:
        """Bytes of all parts."""
        return sum(self.parts.values())

    @property
    def tensors(self) -> float:
        """Bytes without what libraries take beside tensors."""
        return self.total - self.parts.get("overhead", 0.0)


def phases(model: Anatomy, config: Config, batch: Batch) -> list[Phase]:
    """What each phase of the run takes."""
    found = [*_training(model, config, batch)]
    if isinstance(config.method, GrpoMethod):
        found.append(_generation(model, config, batch))
    elif batch.held_out.sequences:
        found.append(_held_out(model, config, batch))
    if "evaluate" in config.stages and not isinstance(config.evaluation, NoneConfig):
        found.append(_evaluation(model, config))
    return [_with_overhead(phase, config.hardware.device) for phase in found]


def step_of(model: Anatomy, config: Config, sequences: int, length: int, padded: bool) -> Step:
    """A micro-batch of the configured training."""
    adapter, full = config.adapter, isinstance(config.adapter, FullAdapter)
    return Step(
        model,
        sequences,
        length,
        weights.width(config),
        weights.targets(model, adapter),
        adapter.r if isinstance(adapter, LoraAdapter) else 0,
        adapter.lora_dropout if isinstance(adapter, LoraAdapter) else 0.0,
        full,
        config.hardware.attn_implementation == "eager",
        padded,
        config.hardware.device,
    )


def static(model: Anatomy, config: Config) -> dict[str, float]:
    """What stays through the whole training; FSDP2 divides it among the processes."""
    share = processes(config) if config.hardware.parallel == "fsdp2" else 1
    found = {
        "weights": weights.base_bytes(model, config) / share,
        "adapter": weights.adapter_parameters(model, config.adapter) * float(weights.ADAPTER_WIDTH) / share,
        "optimiser": weights.optimiser_bytes(model, config) / share,
    }
    if isinstance(config.method, GrpoMethod) and config.method.beta and isinstance(config.adapter, FullAdapter):
        found["weights"] *= 2  # the policy as it was, which an adapter gives by being switched off
    return found | _reward_models(config)


def _training(model: Anatomy, config: Config, batch: Batch) -> Iterator[Phase]:
    """The loss, when all is kept that the backward pass needs; the backward pass itself; the optimiser's step."""
    stays, step = static(model, config), step_of(model, config, batch.sequences, batch.length, batch.padded)
    count = weights.trained(model, config.adapter)
    share = processes(config) if config.hardware.parallel == "fsdp2" else 1
    gradients = float(count * weights.trained_width(config)) / share
    earlier = gradients if batch.accumulation > 1 else 0.0
    one = activations.block(step)
    kept = activations.boundaries(step) if config.hardware.gradient_checkpointing else one * step.blocks
    around, gathered = activations.around(step, count), _gathered(model, config)
    ends = around + activations.last(step, batch.scored) + gathered
    yield Phase("loss", stays | {"gradients": earlier, "activations": kept + ends, "logits": _logits(model, config, batch)})
    first = one if config.hardware.gradient_checkpointing else 0.0
    passing = first + activations.passing(step) + gathered + _unpacked(model, config)
    late = {"gradients": gradients, "activations": around + one + passing - first}
    early = {"gradients": earlier, "activations": kept + around + passing}
    yield Phase("backward", stays | max(early, late, key=lambda parts: sum(parts.values())))
    yield Phase("optimiser step", stays | {"gradients": gradients, "activations": _of_optimiser(model, config, gradients)})


def _gathered(model: Anatomy, config: Config) -> float:
    """The two blocks whose weights FSDP2 has gathered, one in use and one to come."""
    if config.hardware.parallel != "fsdp2" or processes(config) == 1:
        return 0.0
    return 2 * weights.base_bytes(model, config) / model.layers


def _unpacked(model: Anatomy, config: Config) -> float:
    """A quantised layer while it is computed with: the largest, in the type of the values."""
    if weights.base_bytes(model, config) == weights.base_bytes(model, config, quantised=False):
        return 0.0
    return float(max(linear.inputs * linear.outputs for linear in model.linears) * weights.width(config))


def _of_optimiser(model: Anatomy, config: Config, gradients: float) -> float:
    """What a step of AdamW takes: roots of the second moments, of all weights at once on a GPU, else of one after another."""
    if config.hardware.device == "cuda":
        return gradients
    largest = model.largest if isinstance(config.adapter, FullAdapter) else max((t.inputs for t in model.linears), default=0)
    return 2.0 * largest * weights.trained_width(config)


def _logits(model: Anatomy, config: Config, batch: Batch) -> float:
    """The scored positions' logits, at most so many at a time."""
    if isinstance(config.method, GrpoMethod):
        return _tile(model, config, batch)
    return LOGIT_BYTES * _at_once(batch.scored, model.vocab_size)


def _at_once(scored: int, vocabulary: int) -> float:
    return float(min(scored, max(1, MAX_LOGITS // vocabulary)) * vocabulary)


def _tile(model: Anatomy, config: Config, batch: Batch) -> float:
    """TRL scores a policy's tokens in tiles of one width: by one kernel on a GPU, in PyTorch elsewhere. Gradients of the hidden
    states, and of a trained head, are summed in float32.
    """
    kernel, wide = config.hardware.device == "cuda", weights.width(config)
    positions = batch.scored if kernel else batch.sequences * batch.length
    rows = min(positions, TILE[0])
    computed = 0 if kernel else rows * min(model.vocab_size, TILE[1]) * TILE_BYTES
    summed = model.vocab_size * model.hidden_size * 4 if isinstance(config.adapter, FullAdapter) else 0
    return float(rows * TILE[1] * wide + computed + positions * model.hidden_size * (4 + wide) + summed)


def _held_out(model: Anatomy, config: Config, batch: Batch) -> Phase:
    """Held-out rows while it trains: no gradients, larger batches."""
    asked = batch.held_out
    step = step_of(model, config, asked.sequences, asked.length, asked.sequences > 1)
    return Phase("held-out loss", static(model, config) | _forward(model, step, asked.scored))


def _forward(model: Anatomy, step: Step, scored: int) -> dict[str, float]:
    """A pass without gradients, then the logits of what is scored; the larger of both."""
    hidden = float(step.tokens * model.hidden_size * step.wide)
    logits = UNTRAINED_LOGIT_BYTES * _at_once(scored, model.vocab_size)
    passing = activations.forward_only(step)
    return {"activations": hidden, "logits": logits} if logits + hidden > passing else {"activations": passing}


def _cache(model: Anatomy, wide: int, sequences: int, length: int) -> float:
    """Keys and values of all blocks, and one block's again while it grows."""
    return float(sequences * length * model.keys * wide * (2 * model.layers + 1))


def _generation(model: Anatomy, config: Config, batch: Batch) -> Phase:
    """All completions of a step, generated together."""
    wide, together = weights.width(config), generated_at_once(config, batch)
    prompts = step_of(model, config, together, batch.prompt, True)
    parts = static(model, config) | {
        "activations": activations.forward_only(replace(prompts, full=True)),
        "logits": float(together * model.vocab_size * 4 * 5),
        "kv cache": _cache(model, wide, together, batch.prompt + batch.completion),
    }
    return Phase("generation", parts | {"activations": max(0.0, parts["activations"] - parts["kv cache"])})


def _evaluation(model: Anatomy, config: Config) -> Phase:
    """The model loaded anew, its base as it is unless `hardware.eval_quantised`; answers are generated with a cache."""
    wide, tokens = weights.width(config), config.hardware.eval_batch_tokens
    length = min(tokens, config.model.max_length)
    step = step_of(model, config, max(1, tokens // length), length, False)
    stays = {
        "weights": weights.base_bytes(model, config, config.hardware.eval_quantised),
        "adapter": weights.adapter_parameters(model, config.adapter) * float(weights.ADAPTER_WIDTH),
    }
    cached = _cache(model, wide, step.sequences, step.length)
    return Phase(
        "evaluation", stays | _forward(model, step, step.tokens) | {"kv cache": cached} | _reward_models(config), False
    )


def _reward_models(config: Config) -> dict[str, float]:
    """Models that rewards ask, where they share the device."""
    if not isinstance(config.method, GrpoMethod):
        return {}
    from trivium.planner.scorers import scorer_bytes

    return {"reward models": scorer_bytes(config)}


def _with_overhead(phase: Phase, device: str) -> Phase:
    told = _overheads()[device]
    moving = sum(phase.parts.get(part, 0.0) for part in ("gradients", "activations", "logits", "kv cache"))
    return replace(phase, parts={**phase.parts, "overhead": told["context"] + told["slack"] * moving})


@cache
def _overheads() -> dict[str, dict[str, float]]:
    import yaml

    found: dict[str, dict[str, float]] = yaml.safe_load(Path(__file__).with_name("overhead.yaml").read_text(encoding="utf-8"))
    return found
