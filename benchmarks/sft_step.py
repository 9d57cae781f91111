"""A weighted SFT step against TRL's own trainer on the same model, rows and order: `python -m benchmarks.sft_step`."""

import itertools
import json
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from trivium.backends.corpus import Corpus
from trivium.backends.torch.callbacks import Reporter
from trivium.backends.torch.measure import Meter
from trivium.backends.torch.sft import build
from trivium.data.micro_archive import documents
from trivium.data.neutral import neutral_text
from trivium.models.adapters import attach
from trivium.models.load import load_base, load_tokenizer
from trivium.models.quiet import quiet
from trivium.models.tiny import make_model, make_tokenizer, save
from trivium.schema import Config, DistrustLoss, TinyBuild

ROUNDS, STEPS, WARM = 9, 24, 4


class StepClock(TrainerCallback):
    """Seconds of every optimiser step, data loading and callbacks included."""

    def __init__(self) -> None:
        self.marks: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.marks.append(time.perf_counter())

    def seconds(self) -> float:
        ends = self.marks[WARM:]
        return statistics.median(b - a for a, b in itertools.pairwise(ends))


def write_inputs(folder: Path) -> None:
    """An untrained model of the embedded shape, and the small archive's documents with seeded provenance."""
    torch.manual_seed(0)
    tokenizer = make_tokenizer(neutral_text(TinyBuild(facts=200)), 1024)
    save(make_model(Config().model.build, tokenizer), tokenizer, folder / "base")
    rng = random.Random(0)
    lines = []
    for i, sample in enumerate(documents(Config().dataset.world)):
        sample.id, sample.authority, sample.entropy = str(i), rng.uniform(0, 0.99), rng.uniform(0, 3)
        lines.append(json.dumps(sample.to_dict()))
    (folder / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")


def configured() -> Config:
    config = Config(loss=DistrustLoss())
    config.method.max_steps = STEPS
    return config


def ours(folder: Path) -> tuple[SFTTrainer, Corpus]:
    """The trainer as the train stage sets it up, reporting included."""
    trainer, corpus = build(configured(), str(folder / "base"), folder, folder / "ours")
    trainer.add_callback(Reporter(lambda line, step: None, lambda step, steps, metrics: None, Meter("cpu")))
    return trainer, corpus


def stock(folder: Path, corpus: Corpus) -> SFTTrainer:
    """TRL's trainer on the same tokens in the same order, without weights."""
    config = configured()
    rows = corpus.dataset.select(corpus.order).select_columns(["input_ids", "labels"]).flatten_indices()
    model = attach(load_base(config.model, config.hardware, str(folder / "base")), config.adapter, config.seed)
    arguments = SFTConfig(
        output_dir=str(folder / "stock"),
        per_device_train_batch_size=config.hardware.per_device_train_batch_size,
        max_steps=STEPS,
        learning_rate=config.method.learning_rate,
        logging_steps=config.method.logging_steps,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        dataloader_pin_memory=False,
        train_sampling_strategy="sequential",
        dataset_kwargs={"skip_prepare_dataset": True},
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    tokenizer = load_tokenizer(config.model, str(folder / "base"))
    trainer = SFTTrainer(model=model, args=arguments, train_dataset=rows, processing_class=tokenizer)
    trainer.remove_callback(PrinterCallback)
    return trainer


def seconds_per_step(trainer: SFTTrainer) -> float:
    clock = StepClock()
    trainer.add_callback(clock)
    trainer.train()
    trainer.remove_callback(clock)
    return clock.seconds()


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name, quiet():
        folder = Path(name)
        write_inputs(folder)
        ratios, times = [], []
        weighted, corpus = ours(folder)
        plain = stock(folder, corpus)
        for trial in range(ROUNDS):
            pair = {trainer: seconds_per_step(trainer) for trainer in ((weighted, plain), (plain, weighted))[trial % 2]}
            ratios.append(pair[weighted] / pair[plain])
            times.append(pair[weighted])
    median, spread = statistics.median(ratios), f"{min(ratios):.3f} to {max(ratios):.3f}"
    lengths = statistics.mean(map(len, corpus.rows.input_ids))
    print(f"weighted SFT step / TRL's SFT step: {median:.3f} (at most 1.05; {ROUNDS} rounds, {spread})")
    print(f"{1 / statistics.median(times):.1f} steps/s of 64 sequences, {lengths:.0f} tokens on average, on one thread")


if __name__ == "__main__":
    main()
