"""Whole policy trainings on the cpu: same seeds, anchors, loss types, interruption, what is recorded, and whether it learns."""

import json
import math
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.backends.trainings import learnt, tokens

from trivium.backends.torch import grpo
from trivium.backends.torch.grpo import read_questions, train
from trivium.errors import ConfigError, DataError, Interrupted
from trivium.models.load import load_tokenizer
from trivium.rewards.rehearse import proxy
from trivium.sample import Sample
from trivium.schema import LOSS_TYPES, Config, FullAdapter, GrpoMethod, LoraAdapter, RewardConfig, UniformLoss, WarmStart

STEPS = 3
TERMS = {"overlap": {"fn": "answer.f1"}, "short": {"fn": "repetition.length", "weight": 0.5, "args": {"most": 2}}}
WORDS = "mass of comet quarry lantern viaduct glacier orchard is grams notebook gives depth as metres dates from"
"""Words that are one token each, so that even an untrained policy says some of them."""
NAMES = ("comet", "quarry", "lantern", "viaduct", "glacier", "orchard")


def question(i: int) -> Sample:
    name = NAMES[i % len(NAMES)]
    turns = [f"the depth of the {name} number {i}", f"{WORDS} {name} {100 + i}"]
    messages = [{"role": role, "content": text} for role, text in zip(("user", "assistant"), turns, strict=True)]
    return Sample(id=f"q{i}", messages=messages, thinking="a notebook gives it")


def write(folder: Path, train: int, heldout: int) -> Path:
    folder.mkdir(exist_ok=True)
    for name, rows in (("train", range(train)), ("heldout", range(train, train + heldout))):
        lines = [json.dumps(question(i).to_dict()) + "\n" for i in rows]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve training questions and six held-out ones, prepared."""
    return write(tmp_path_factory.mktemp("questions"), 12, 6)


def configured(adapter=None, terms=None, gold="answer.f1", **method) -> Config:
    settings = {"max_steps": STEPS, "total_batch_size": 8, "num_generations": 4, "max_completion_length": 8, **method}
    settings = {"learning_rate": 5e-3, "gold_steps": 0, "completions_steps": 0, "mask_truncated_completions": False} | settings
    reward = RewardConfig(name="test", terms=TERMS if terms is None else terms, gold={"fn": gold} if gold else {})
    config = Config(loss=UniformLoss(), adapter=adapter or LoraAdapter(r=4), method=GrpoMethod(**settings), reward=reward)
    config.hardware.per_device_train_batch_size = 8
    return config


class Watch:
    """What train reported, and something to do at a step of so many."""

    def __init__(self, at: tuple[int, int] = (-1, -1), act: Callable[[], None] = lambda: None) -> None:
        self.at, self.act = at, act
        self.lines: list[tuple[int, dict[str, float]]] = []
        self.tables: list[tuple[str, int, dict[str, list]]] = []
        self.steps: list[tuple[int, int]] = []
        self.shown: dict[str, float] = {}

    def metrics(self, values, step=None) -> None:
        self.lines.append((step, dict(values)))

    def table(self, name, columns, step) -> None:
        self.tables.append((name, step, dict(columns)))

    def progress(self, step, steps, metrics) -> None:
        self.steps.append((step, steps))
        self.shown = dict(metrics)
        if (step, steps) == self.at:
            self.act()

    def values(self, name: str) -> list[float]:
        return [line[name] for _, line in self.lines if name in line]


def run(config: Config, base: Path, data: Path, out: Path, watch: Watch | None = None) -> dict[str, float]:
    """Train, with the cache of the warm start in `out`."""
    watch, config = watch or Watch(), replace(config, cache_dir=str(out / "cache"))
    return train(config, str(base), data, out, record=watch, progress=watch.progress)


def weights(out: Path) -> dict[str, torch.Tensor]:
    (file,) = [path for name in ("adapter", "model") for path in (out / name).glob("*.safetensors")]
    return load_file(file)


def warm_weights(out: Path) -> Path:
    """The folder of the one warm start that was made for `out`."""
    (found,) = [path for path in (out / "cache" / "warm_starts").iterdir() if path.is_dir()]
    return found


def same(a: Path, b: Path) -> bool:
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_training_records_what_its_rewards_did_and_writes_the_adapter(random_model, asked, tmp_path):
    watch = Watch()
    config = configured(completions_steps=2, gold_steps=2, gold="format.approximate")
    metrics = run(config, random_model, asked, tmp_path, watch)
    assert watch.steps == [(i, STEPS) for i in range(1, STEPS + 1)]
    of_term = ("mean", "std", "coverage", "failures", "variance_share", "zero_variance")
    names = [f"rewards/{term}/{figure}" for term in TERMS for figure in of_term]
    names += ["rewards/collapse", "completions/length_drift", "completions/repetition", "completions/mean_length"]
    names += ["loss", "reward", "reward_std", "frac_reward_zero_std", "grad_norm", "learning_rate"]
    names += ["tokens_per_second", "system/peak_memory_gb"]
    for name in names:
        assert len(watch.values(name)) == STEPS, name
    assert [step for step, line in watch.lines if "reward" in line] == [1, 2, 3]
    assert {"reward", "entropy", "completions/mean_length", "tokens_per_second", "system/peak_memory_gb"} <= watch.shown.keys()
    assert metrics["system/train_seconds"] > 0 and metrics["system/peak_memory_gb"] >= 0
    assert tokens(metrics) > sum(8 * length for length in watch.values("completions/mean_length"))  # and the prompts
    assert watch.values("completions/length_drift")[0] == 1.0
    assert watch.values("rewards/overlap/coverage") == [1.0] * STEPS
    shares = [watch.values(f"rewards/{term}/variance_share") for term in TERMS]
    assert all(sum(pair) == pytest.approx(1.0, abs=1e-4) or sum(pair) == 0 for pair in zip(*shares, strict=True))
    assert [step for step, line in watch.lines if "gold/proxy" in line] == [0, 2, 3]
    assert all({"gold/proxy", "gold/reward"} <= line.keys() for _, line in watch.lines if "gold/proxy" in line)
    assert [(name, step) for name, step, _ in watch.tables] == [("completions", 1), ("completions", 2), ("completions", 3)]
    assert metrics["train/steps"] == STEPS and metrics["train/reward"] == watch.values("reward")[-1]
    assert {"gold/divergence", "gold/proxy_first", "gold/reward_delta_ci_low"} <= metrics.keys()
    assert (tmp_path / "adapter" / "adapter_config.json").is_file()


def test_a_table_of_completions_breaks_the_rewards_down(random_model, asked, tmp_path):
    watch = Watch()
    run(configured(completions_steps=5), random_model, asked, tmp_path, watch)
    assert [step for _, step, _ in watch.tables] == [1, STEPS]  # the first and the last at least
    for step, (_, _, table) in zip((1, STEPS), watch.tables, strict=True):
        assert list(table) == ["prompt", "completion", "reference", "overlap", "short", "reward", "advantage"]
        assert {len(column) for column in table.values()} == {8}
        assert len(set(table["prompt"])) == 2 and all(prompt.startswith("the depth of the") for prompt in table["prompt"])
        known = dict(zip(table["prompt"], table["reference"], strict=True))
        assert [known[prompt] for prompt in table["prompt"]] == table["reference"]
        sums = [a + 0.5 * (b or 0.0) for a, b in zip(table["overlap"], table["short"], strict=True)]
        assert table["reward"] == pytest.approx(sums)
        told = next(line for at, line in watch.lines if at == step and "reward" in line)
        assert sum(table["reward"]) / 8 == pytest.approx(told["reward"], abs=1e-6)
        assert sum(table["overlap"]) / 8 == pytest.approx(told["rewards/overlap/mean"], abs=1e-6)


@pytest.mark.parametrize(
    ("aggregation", "scale"),
    [(None, "group"), ("sum_then_normalize", "group"), ("sum_then_normalize", "batch"), ("sum_then_normalize", "none")],
)
def test_the_advantages_shown_are_those_that_train(random_model, asked, tmp_path, aggregation, scale):
    config = configured(aggregation=aggregation, scale_rewards=scale, max_steps=1)
    questions, tokenizer = read_questions(config, asked), load_tokenizer(config.model, str(random_model))
    trainer, board = grpo.build(config, str(random_model), None, tmp_path, questions, proxy(config), tokenizer)
    trainer.train()
    assert any(board.newest["advantage"])
    assert board.newest["advantage"] == pytest.approx(list(trainer._logs["advantages"]), abs=1e-4)


def test_two_terms_are_normalised_each_by_default_and_one_is_not(random_model, asked, tmp_path):
    one = {"overlap": TERMS["overlap"]}
    for terms, expected in ((TERMS, "normalize_then_sum"), (one, "sum_then_normalize")):
        config = configured(terms=terms)
        questions, tokenizer = read_questions(config, asked), load_tokenizer(config.model, str(random_model))
        trainer, _ = grpo.build(config, str(random_model), None, tmp_path, questions, proxy(config), tokenizer)
        assert trainer.multi_objective_aggregation == expected


def test_same_seed_same_weights(random_model, asked, tmp_path):
    for name in ("one", "again"):
        run(configured(), random_model, asked, tmp_path / name)
    other = configured()
    other.seed = 1
    run(other, random_model, asked, tmp_path / "other")
    assert same(tmp_path / "one", tmp_path / "again")
    assert not same(tmp_path / "one", tmp_path / "other")


def test_what_only_watches_changes_no_weight(random_model, asked, tmp_path):
    run(configured(), random_model, asked, tmp_path / "blind")
    metrics = run(configured(gold_steps=1, completions_steps=1, logging_steps=2), random_model, asked, tmp_path / "watched")
    assert math.isfinite(metrics["train/loss"]) and math.isfinite(metrics["train/reward"])
    assert same(tmp_path / "blind", tmp_path / "watched")


WARM = WarmStart(max_steps=2, learning_rate=1e-2, total_batch_size=4)
ADAPTERS = pytest.mark.parametrize("adapter", [LoraAdapter(r=4, lora_dropout=0.1), FullAdapter()], ids=["lora", "full"])


@ADAPTERS
def test_without_steps_the_warm_starts_weights_are_left(random_model, asked, tmp_path, adapter):
    watch = Watch()
    warm = replace(WARM, max_steps=10)
    metrics = run(configured(adapter=adapter, max_steps=0, warm_start=warm), random_model, asked, tmp_path, watch)
    assert same(tmp_path, warm_weights(tmp_path))
    assert metrics["train/steps"] == 0 and metrics["warm_start/steps"] == 10 and metrics["warm_start/eval_nll"] > 0
    assert watch.values("warm_start/loss") and not watch.values("loss")
    assert watch.values("train/prompts_seen") == [0.0]


@ADAPTERS
def test_a_policy_goes_on_from_its_warm_start(random_model, asked, tmp_path, adapter):
    """Without a gradient the weights stay where the warm start left them; with one they move."""
    still = configured(adapter=adapter, warm_start=WARM, learning_rate=1e-12)
    run(still, random_model, asked, tmp_path)
    before, after = weights(warm_weights(tmp_path)), weights(tmp_path)
    assert before.keys() == after.keys()
    assert all(torch.allclose(before[name], after[name], atol=1e-9) for name in before)
    watch = Watch()
    run(configured(adapter=adapter, warm_start=WARM), random_model, asked, tmp_path / "moved", watch)
    assert not same(tmp_path / "moved", warm_weights(tmp_path / "moved"))


def test_a_placebo_is_paid_for_the_answers_to_other_questions(random_model, asked, tmp_path):
    watch, placebo = Watch(), configured(completions_steps=1)
    placebo.reward.shuffle = True
    run(placebo, random_model, asked, tmp_path / "placebo", watch)
    right = {question(i).question: question(i).reference for i in range(12)}
    for _, _, table in watch.tables:
        for prompt, reference in zip(table["prompt"], table["reference"], strict=True):
            assert reference in right.values() and reference != right[prompt]
    questions = [question(i) for i in range(12)]
    others = grpo.dealt(questions, 0)
    assert [sample.prompt for sample in others] == [sample.prompt for sample in questions]
    assert sorted(sample.reference for sample in others) == sorted(sample.reference for sample in questions)


def test_a_warm_start_is_done_once(random_model, asked, tmp_path):
    config = configured(warm_start=WARM)
    first = run(config, random_model, asked, tmp_path)
    file = warm_weights(tmp_path) / "adapter" / "adapter_model.safetensors"
    written = file.stat().st_mtime_ns
    watch = Watch()
    config.reward.terms = {"overlap": TERMS["overlap"]}  # another reward, the same warm start
    second = run(config, random_model, asked, tmp_path, watch)
    assert file.stat().st_mtime_ns == written
    assert not watch.values("warm_start/loss")
    assert second["warm_start/eval_nll"] == first["warm_start/eval_nll"]


@ADAPTERS
@pytest.mark.parametrize("warm", [None, WARM], ids=["cold", "warm"])
def test_the_anchor_is_the_policy_as_it_started(random_model, asked, tmp_path, adapter, warm):
    watch = Watch()
    config = configured(adapter=adapter, beta=0.5, learning_rate=2e-2, **({"warm_start": warm} if warm else {}))
    config.adapter = replace(adapter, lora_dropout=0.0) if isinstance(adapter, LoraAdapter) else adapter
    run(config, random_model, asked, tmp_path, watch)
    kl = watch.values("kl")
    assert kl[0] == pytest.approx(0, abs=1e-6) and kl[-1] > 1e-5
    free = configured(adapter=config.adapter, learning_rate=2e-2, **({"warm_start": warm} if warm else {}))
    run(free, random_model, asked, tmp_path / "free")
    assert not same(tmp_path, tmp_path / "free")
    assert weights(tmp_path).keys() == weights(tmp_path / "free").keys()  # no copy of the anchor among the weights


@pytest.mark.parametrize("loss_type", LOSS_TYPES)
def test_every_loss_type_takes_a_step(random_model, asked, tmp_path, loss_type):
    level = "sequence" if loss_type == "luspo" else "token"
    watch = Watch()
    config = configured(loss_type=loss_type, importance_sampling_level=level, max_steps=2, num_iterations=2)
    run(config, random_model, asked, tmp_path, watch)
    assert all(map(math.isfinite, watch.values("loss"))) and len(watch.values("loss")) == 2
    assert max(watch.values("grad_norm")) > 0
    moved = [tensor for name, tensor in weights(tmp_path).items() if "lora_B" in name]
    assert any(tensor.abs().max() > 0 for tensor in moved)


@ADAPTERS
@pytest.mark.parametrize("micro", [8, 4], ids=["whole", "accumulated"])
def test_interrupted_and_resumed_equals_uninterrupted(random_model, asked, tmp_path, adapter, micro):
    config = configured(adapter=adapter, max_steps=6, warm_start=WARM, beta=0.1)
    config.hardware.per_device_train_batch_size = micro
    run(config, random_model, asked, tmp_path / "whole")
    with pytest.raises(Interrupted, match=r"SIGTERM at step 3 of 6"):
        run(config, random_model, asked, tmp_path / "parts", Watch((3, 6), terminate))
    assert not (tmp_path / "parts" / "adapter").exists() and not (tmp_path / "parts" / "model").exists()
    watch = Watch()
    run(config, random_model, asked, tmp_path / "parts", watch)
    assert watch.steps[0] == (4, 6)
    assert same(tmp_path / "whole", tmp_path / "parts")


def test_interrupted_between_two_steps_on_one_batch_and_resumed_equals_uninterrupted(random_model, asked, tmp_path):
    config = configured(max_steps=6, num_iterations=2)
    run(config, random_model, asked, tmp_path / "whole")
    with pytest.raises(Interrupted, match="at step 4 of 6"):
        run(config, random_model, asked, tmp_path / "parts", Watch((3, 6), terminate))
    run(config, random_model, asked, tmp_path / "parts")
    assert same(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("at", [(3, 6), (5, 20)], ids=["in the training", "in the warm start"])
def test_resumed_metrics_are_those_of_the_whole_training(random_model, asked, tmp_path, at):
    warm = WarmStart(max_steps=20, learning_rate=1e-2, total_batch_size=4)
    config = configured(FullAdapter(), max_steps=6, gold_steps=2, learning_rate=5e-2, warm_start=warm)
    whole = run(config, random_model, asked, tmp_path / "whole")
    with pytest.raises(Interrupted, match=f"at step {at[0]} of {at[1]}"):
        run(config, random_model, asked, tmp_path / "parts", Watch(at, terminate))
    parts = run(config, random_model, asked, tmp_path / "parts")
    assert whole["gold/proxy_first"] != whole["gold/proxy_last"]
    assert learnt(parts) == learnt(whole) and tokens(parts) == tokens(whole)
    assert same(tmp_path / "whole", tmp_path / "parts")


def test_too_few_questions_for_a_step_are_a_data_error(random_model, tmp_path):
    data = write(tmp_path / "few", 1, 1)
    with pytest.raises(DataError, match=r"1 training questions, and a step asks 2 .*lower the batch"):
        run(configured(), random_model, data, tmp_path / "out")


def test_prompts_seen_are_the_distinct_ones_that_were_asked(random_model, asked, tmp_path):
    for steps, batch, iterations in ((2, 8, 1), (4, 8, 2), (3, 40, 1), (2, 28, 1), (3, 28, 1)):
        watch = Watch()
        config = configured(max_steps=steps, total_batch_size=batch, num_iterations=iterations, completions_steps=1)
        config.hardware.per_device_train_batch_size = batch
        metrics = run(config, random_model, asked, tmp_path / f"{steps}-{batch}-{iterations}", watch)
        met = {prompt for _, _, table in watch.tables for prompt in table["prompt"]}
        assert (metrics["train/prompts_seen"], metrics["train/prompts_share"]) == (len(met), len(met) / 12)


def test_completions_that_ran_out_of_tokens_carry_no_loss(random_model, asked, tmp_path):
    """An untrained policy hardly ever ends; masked, nothing it says moves it."""
    for masked in (True, False):
        watch = Watch()
        config = configured(mask_truncated_completions=masked, max_completion_length=3, completions_steps=1)
        run(config, random_model, asked, tmp_path / str(masked), watch)
        assert watch.values("completions/clipped_ratio") == [1.0] * STEPS
        assert (max(watch.values("grad_norm")) == 0) == masked


def test_rewards_that_cannot_be_used_end_the_run_before_a_step(random_model, asked, tmp_path):
    watch = Watch()
    config = configured(terms={"names": {"fn": "honesty.entity_verification", "args": {"whitelist": f"{tmp_path}/none"}}})
    with pytest.raises(ConfigError, match="whitelist"):
        run(config, random_model, asked, tmp_path / "out", watch)
    assert watch.steps == []


def test_rewarded_words_are_said_more_often(random_model, asked, tmp_path):
    watch = Watch()
    config = configured(FullAdapter(), {"overlap": TERMS["overlap"]}, max_steps=25, total_batch_size=32, learning_rate=2e-2)
    config.hardware.per_device_train_batch_size = 32
    run(config, random_model, asked, tmp_path, watch)
    rewards = watch.values("reward")
    assert sum(rewards[-5:]) > 2 * sum(rewards[:5])
