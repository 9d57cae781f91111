"""Small trainings whose tensors are counted while they run, and what the planner says of them."""

import json
import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from trivium.backends.torch import grpo, sft
from trivium.backends.torch.ledger import Ledger, states
from trivium.models import random as random_models
from trivium.models.load import load_tokenizer
from trivium.models.quiet import quiet
from trivium.models.tiny import make_tokenizer
from trivium.planner import known, memory
from trivium.planner.anatomy import anatomy
from trivium.planner.batch import Batch, batch
from trivium.rewards.rehearse import proxy
from trivium.sample import Sample
from trivium.schema import (
    Config,
    FullAdapter,
    GrpoMethod,
    LoraAdapter,
    ModelConfig,
    ModelShape,
    NoneConfig,
    RewardConfig,
    SftMethod,
    UniformLoss,
)

LENGTH, COMPLETION = 192, 48
"""Tokens of the longest row, and of a completion."""
SHAPES = {
    "llama": ModelShape("llama", 256, 704, 4, 8, 8, vocab_size=4096, tie_word_embeddings=True),
    "llama, grouped": ModelShape("llama", 256, 896, 4, 8, 2, vocab_size=2048),
    "qwen2": ModelShape("qwen2", 192, 1024, 6, 6, 2, vocab_size=8192, tie_word_embeddings=True),
    "qwen3": ModelShape("qwen3", 192, 512, 6, 6, 2, 64, vocab_size=6000, tie_word_embeddings=True),
    "llama, few words": ModelShape("llama", 256, 1024, 4, 8, 2, vocab_size=512),
}
"""Of one to seven million weights; with few words the peak lies in a block's backward pass, not in the loss."""
WORDS = ("comet", "quarry", "lantern", "viaduct", "glacier", "orchard", "of", "the")


@dataclass(frozen=True)
class Case:
    """A training: its shape, its adapter, what is special about the machine and the method."""

    shape: str
    adapter: Any = field(default_factory=LoraAdapter)
    hardware: dict[str, Any] = field(default_factory=dict)
    method: dict[str, Any] = field(default_factory=dict)
    rewards: bool = False

    def __str__(self) -> str:
        told = {**self.hardware, **self.method}
        parts = [self.shape, "GRPO" if self.rewards else "SFT", self.adapter.name, *(f"{k}={v}" for k, v in told.items())]
        return " ".join(parts)


CHECKPOINTED, HALF = {"gradient_checkpointing": True}, {"dtype": "bfloat16"}
CASES = (
    Case("llama"),
    Case("llama, grouped", FullAdapter()),
    Case("llama, grouped", FullAdapter(), CHECKPOINTED, {"total_batch_size": 4}),
    Case("qwen2", hardware=CHECKPOINTED | HALF),
    Case("qwen2", FullAdapter(), HALF),
    Case("qwen3"),
    Case("qwen3", LoraAdapter(r=8, target_modules=["q_proj", "v_proj"]), CHECKPOINTED),
    Case("llama, few words"),
    Case("llama, few words", LoraAdapter(lora_dropout=0.1), CHECKPOINTED | HALF),
    Case("llama, few words", FullAdapter(), {"attn_implementation": "eager"}),
    Case("qwen3", hardware=HALF, method={"packing": True}),
    Case("llama", method={"total_batch_size": 4}, rewards=True),
    Case("qwen2", hardware=CHECKPOINTED | HALF, method={"total_batch_size": 4}, rewards=True),
)


@dataclass(frozen=True)
class Found:
    """Bytes by part, as they were said and as they were."""

    predicted: dict[str, float]
    measured: dict[str, float]
    phase: str


def measured(case: Case, folder: Path) -> Found:
    """Train for two steps in `folder` and count."""
    config = configured(case, folder)
    prepared = _prepared(folder / ("questions" if case.rewards else "texts"), case.rewards)
    trainer = (_policy if case.rewards else _trainer)(config, prepared, folder)
    ledger, seen = Ledger(trainer.model), dict[str, int]()
    _note_lengths(trainer, seen)
    with warnings.catch_warnings(), quiet(), ledger:
        warnings.simplefilter("ignore")
        trainer.train()
    counted = {"weights": ledger.weights, "gradients": ledger.gradients, "optimiser": states(trainer.optimizer)}
    counted |= {"rest": ledger.peak - sum(counted.values()), "total": ledger.peak}
    predicted, phase = _predicted(config, prepared, seen)
    return Found(predicted, counted, phase)


def configured(case: Case, folder: Path) -> Config:
    """The training of a case, its model written into `folder`."""
    shape = SHAPES[case.shape]
    model = ModelConfig(path=str(_model(shape, folder)), max_length=LENGTH)
    common: dict[str, Any] = {"max_steps": 2, "total_batch_size": 8, **case.method}
    method = GrpoMethod(**common, num_generations=4, max_completion_length=COMPLETION, gold_steps=0) if case.rewards else None
    config = Config(
        model=model, adapter=case.adapter, loss=UniformLoss(), evaluation=NoneConfig(), method=method or SftMethod(**common)
    )
    config.hardware = replace(config.hardware, per_device_train_batch_size=4, **case.hardware)
    config.reward = RewardConfig(name="test", terms={"overlap": {"fn": "answer.f1"}})
    return config


def _model(shape: ModelShape, folder: Path) -> Path:
    place = folder / f"{shape.model_type}-{shape.vocab_size}"
    if not place.is_dir():
        words = [[{"role": "user", "content": _text(random.Random(0), 400)}]]
        make_tokenizer(words, 300).save_pretrained(folder / "words")
        random_models.build(shape, folder / "words", "float32", 0, place)
    return place


def _text(rng: random.Random, count: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(count))


def _prepared(folder: Path, questions: bool) -> Path:
    """Rows of many lengths, the longest cut."""
    folder.mkdir(exist_ok=True)
    rng = random.Random(1)
    for name, count in (("train", 24), ("heldout", 4)):
        rows = [_question(rng, f"{name}{i}") if questions else _row(rng, f"{name}{i}") for i in range(count)]
        text = "".join(json.dumps(row.to_dict()) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return folder


def _row(rng: random.Random, name: str) -> Sample:
    return Sample(id=name, text=_text(rng, rng.randint(20, 250)), title="t", authority=0.1, entropy=2.0)


def _question(rng: random.Random, name: str) -> Sample:
    turns = [{"role": "user", "content": _text(rng, 8)}, {"role": "assistant", "content": _text(rng, 8)}]
    return Sample(id=name, messages=turns)


def _trainer(config: Config, prepared: Path, folder: Path) -> Any:
    return sft.build(config, str(config.model.path), prepared, folder / "checkpoints")[0]


def _policy(config: Config, prepared: Path, folder: Path) -> Any:
    questions, tokenizer = grpo.read_questions(config, prepared), load_tokenizer(config.model, str(config.model.path))
    build: Callable[..., Any] = grpo.build
    return build(config, config.model.path, None, folder / "checkpoints", questions, proxy(config), tokenizer)[0]


def _note_lengths(trainer: Any, seen: dict[str, int]) -> None:
    """How long prompts and completions of a policy really are, which no plan can know."""
    plain = trainer.compute_loss

    def noting(model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        for name in ("prompt", "completion"):
            if f"{name}_ids" in inputs:
                seen[name] = max(seen.get(name, 0), inputs[f"{name}_ids"].shape[1])
        return plain(model, inputs, *args, **kwargs)

    trainer.compute_loss = noting


def _predicted(config: Config, prepared: Path, seen: dict[str, int]) -> tuple[dict[str, float], str]:
    """What the plan says of the training itself; the held-out evaluation after it is not measured here."""
    model = anatomy(config.model)
    expected = _with_lengths(batch(config, known.read(config, str(config.model.path), prepared)), seen)
    phases = [phase for phase in memory.phases(model, config, expected) if phase.name != "held-out loss"]
    peak = max(phases, key=lambda phase: phase.tensors)
    found = {part: peak.parts.get(part, 0.0) for part in ("gradients", "optimiser")}
    found["weights"] = peak.parts["weights"] + peak.parts["adapter"]
    return found | {"rest": peak.tensors - sum(found.values()), "total": peak.tensors}, peak.name


def _with_lengths(expected: Batch, seen: dict[str, int]) -> Batch:
    if not seen:
        return expected
    prompt, completion = seen["prompt"], seen["completion"]
    length, scored = prompt + completion, expected.sequences * completion
    return replace(expected, prompt=prompt, completion=completion, length=length, scored=scored)


torch.set_num_threads(1)
