"""Gradients of one optimiser step against TRL's own and against a cross-entropy written out by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from trl import SFTConfig, SFTTrainer

from trivium.backends.rows import tokenise
from trivium.backends.torch.dataset import to_dataset
from trivium.backends.torch.sft import build, packed
from trivium.backends.torch.trainer import split_columns
from trivium.errors import ConfigError
from trivium.maths.weights import Policy, policy
from trivium.models import head
from trivium.models.adapters import attach
from trivium.models.load import load_base, load_tokenizer
from trivium.schema import (
    Config,
    DistrustLoss,
    DistrustPublishedLoss,
    DistrustSampledLoss,
    FullAdapter,
    LoraAdapter,
    UniformLoss,
)

COUNT = 8


@pytest.fixture(scope="module")
def eight(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first eight prepared samples: one optimiser step covers them all."""
    folder = tmp_path_factory.mktemp("eight")
    lines = (prepared / "train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "train.jsonl").write_text("".join(lines[:COUNT]), encoding="utf-8")
    return folder


def configured(loss=None, adapter=None, micro=COUNT, packing=False, assistant_only=True) -> Config:
    config = Config(loss=loss or DistrustLoss(), adapter=adapter or FullAdapter())
    config.method.total_batch_size = COUNT
    config.method.max_steps = 1
    config.method.packing = packing
    config.method.assistant_only_loss = assistant_only
    config.hardware.per_device_train_batch_size = micro
    return config


def gradients(model) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def one_step(trainer) -> dict[str, torch.Tensor]:
    """Gradients after all micro-batches of the first optimiser step."""
    batches, tokens = trainer.get_batch_samples(
        iter(trainer.get_train_dataloader()), trainer.args.gradient_accumulation_steps, torch.device("cpu")
    )
    trainer.current_gradient_accumulation_steps = len(batches)
    for batch in batches:
        trainer.training_step(trainer.model, batch, tokens)
    return gradients(trainer.model)


def ours(config: Config, base: Path, data: Path, out: Path) -> dict[str, torch.Tensor]:
    if config.method.packing:
        rows = tokenise(config, load_tokenizer(config.model, str(base)), data / "train.jsonl")
        count = len(packed(config, rows, policy(config.loss, rows.authority, rows.entropy)))
        assert 1 < count < COUNT  # several samples a row, several rows
        config.method.total_batch_size = count
        config.hardware.per_device_train_batch_size = min(config.hardware.per_device_train_batch_size, count)
    return one_step(build(config, str(base), data, out)[0])


def by_hand(config: Config, base: Path, data: Path) -> dict[str, torch.Tensor]:
    """Each sample alone, no padding, no packing: Σ w·nll over supervised tokens, divided by their number."""
    tokenizer = load_tokenizer(config.model, str(base))
    rows = tokenise(config, tokenizer, data / "train.jsonl")
    weights = policy(config.loss, rows.authority, rows.entropy).weights
    model = attach(load_base(config.model, config.hardware, str(base)), config.adapter, config.seed)
    total = torch.zeros(())
    for ids, labels, weight in zip(rows.input_ids, rows.labels, weights, strict=True):
        logits = model(input_ids=torch.tensor([ids])).logits[0, :-1]
        target = torch.tensor(labels[1:])
        total = total + weight * torch.nn.functional.cross_entropy(logits, target, reduction="sum", ignore_index=-100)
    (total / int(rows.supervised.sum())).backward()
    return gradients(model)


def assert_close(found, expected, scale=1.0, rtol=2e-5) -> None:
    assert found.keys() == expected.keys() and found
    size = max(float(g.norm()) for g in expected.values()) * scale
    assert size > 0
    for name, gradient in found.items():
        assert float((gradient - scale * expected[name]).norm()) <= rtol * size, name


@pytest.mark.parametrize("assistant_only", [True, False])
@pytest.mark.parametrize(("micro", "packing"), [(1, False), (2, False), (4, False), (8, False), (1, True), (8, True)])
def test_weighted_gradient_is_the_one_by_hand(random_model, eight, tmp_path, micro, packing, assistant_only):
    config = configured(micro=micro, packing=packing, assistant_only=assistant_only)
    expected = by_hand(config, random_model, eight)
    assert_close(ours(config, random_model, eight, tmp_path), expected)


def test_lora_gradient_is_the_one_by_hand(random_model, eight, tmp_path):
    config = configured(adapter=Config().adapter, micro=4)
    expected = by_hand(config, random_model, eight)
    assert all("lora_" in name for name in expected)
    assert_close(ours(config, random_model, eight, tmp_path), expected)


def test_weights_change_the_gradient(random_model, eight, tmp_path):
    weighted = ours(configured(DistrustLoss()), random_model, eight, tmp_path)
    plain = ours(configured(UniformLoss()), random_model, eight, tmp_path)
    with pytest.raises(AssertionError):
        assert_close(weighted, plain, rtol=0.05)


def stock(config: Config, base: Path, data: Path, out: Path) -> dict[str, torch.Tensor]:
    """TRL's own trainer on the same rows."""
    tokenizer = load_tokenizer(config.model, str(base))
    rows = tokenise(config, tokenizer, data / "train.jsonl")
    dataset = to_dataset(rows, Policy(np.ones(len(rows)))).select_columns(["input_ids", "labels"])
    micro = config.hardware.per_device_train_batch_size
    arguments = SFTConfig(
        output_dir=str(out),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=COUNT // micro,
        gradient_checkpointing=False,
        use_cpu=True,
        bf16=False,
        report_to="none",
        train_sampling_strategy="sequential",
    )
    model = load_base(config.model, config.hardware, str(base))
    return one_step(SFTTrainer(model=model, args=arguments, train_dataset=dataset, processing_class=tokenizer))


@pytest.mark.parametrize("micro", [2, 8])
@pytest.mark.parametrize("loss", [UniformLoss(), DistrustLoss(alpha=0), DistrustPublishedLoss()], ids=lambda x: x.name)
def test_weight_one_is_trl(random_model, eight, tmp_path, monkeypatch, loss, micro):
    """Stock TRL's gradients, whether the head scores all supervised positions at once or in chunks."""
    config = configured(loss, micro=micro)
    expected = stock(config, random_model, eight, tmp_path)
    for limit in (head.MAX_LOGITS, 4096):
        monkeypatch.setattr(head, "MAX_LOGITS", limit)
        trainer, _ = build(config, str(random_model), eight, tmp_path)
        trainer._order = np.arange(COUNT)
        assert_close(one_step(trainer), expected, rtol=2e-6)


@pytest.mark.parametrize("adapter", [FullAdapter(), LoraAdapter()], ids=["full", "lora"])
def test_token_scores_are_those_of_the_full_logits(random_model, eight, tmp_path, adapter):
    trainer, _ = build(configured(adapter=adapter), str(random_model), eight, tmp_path)
    inputs, _ = split_columns(next(iter(trainer.get_train_dataloader())))
    scores = trainer.model(**inputs, token_scores=True)
    logits = trainer.model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits[:, :-1]
    labels = inputs["labels"][:, 1:]
    mask = labels != -100
    expected = logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    assert torch.equal(scores.label_mask, mask)
    torch.testing.assert_close(scores.log_probs, expected * mask)
    assert torch.equal(scores.is_top1, (logits.argmax(-1) == labels) & mask)


def test_weight_two_is_exactly_twice(random_model, eight, tmp_path):
    config = configured(DistrustLoss(alpha=0), micro=4)
    trainer, corpus = build(config, str(random_model), eight, tmp_path)
    single = one_step(trainer)
    trainer.model.zero_grad()
    trainer.train_dataset = to_dataset(corpus.rows, Policy(np.full(COUNT, 2.0)))
    double = one_step(trainer)
    assert all(torch.equal(double[name], 2 * single[name]) for name in single)


def test_accumulation_does_not_cancel_a_lone_weight(random_model, eight, tmp_path):
    """Dividing by the local sum of weights would make micro-batches of one blind to their weight."""
    weighted = ours(configured(DistrustLoss(alpha=8), micro=1), random_model, eight, tmp_path)
    plain = ours(configured(UniformLoss(), micro=1), random_model, eight, tmp_path)
    with pytest.raises(AssertionError):
        assert_close(weighted, plain, rtol=0.05)


def test_samples_packed_together_do_not_see_each_other(random_model, eight, tmp_path):
    config = configured(UniformLoss(), packing=True)
    assert_close(ours(config, random_model, eight, tmp_path), by_hand(config, random_model, eight))


def test_sampled_batches_hold_samples_in_proportion(random_model, prepared, tmp_path):
    config = configured(DistrustSampledLoss(alpha=2.0))
    config.method.max_steps = 60
    _, corpus = build(config, str(random_model), prepared, tmp_path)
    seen = [tuple(corpus.dataset[int(i)]["input_ids"]) for i in corpus.order]
    keys = [tuple(ids) for ids in corpus.rows.input_ids]
    assert corpus.policy.probabilities is not None
    for key in set(keys):
        expected = len(seen) * sum(p for k, p in zip(keys, corpus.policy.probabilities, strict=True) if k == key)
        assert abs(seen.count(key) - expected) < 1.5 * keys.count(key)


def test_batch_that_does_not_divide_is_a_config_error(random_model, eight, tmp_path):
    with pytest.raises(ConfigError, match=r"total_batch_size=8 is not a multiple of .*=3"):
        build(configured(micro=3), str(random_model), eight, tmp_path)


def test_micro_batch_larger_than_the_total_is_cut_down(random_model, eight, tmp_path):
    trainer, _ = build(configured(micro=64), str(random_model), eight, tmp_path)
    assert trainer.args.per_device_train_batch_size == COUNT and trainer.args.gradient_accumulation_steps == 1


def test_float16_weights_cannot_be_trained_in_full(random_model, eight, tmp_path):
    config = configured()
    config.hardware.dtype = "float16"
    with pytest.raises(ConfigError, match=r"dtype=float16 trains only adapters"):
        build(config, str(random_model), eight, tmp_path)
