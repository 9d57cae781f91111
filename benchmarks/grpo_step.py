"""A GRPO step with five cheap rewards against TRL's own with the same functions, and what tracking takes of a step:
`python -m benchmarks.grpo_step`. Seconds are processor time, so that whatever else runs on the machine does not count.
"""

import copy
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, set_seed
from trl import GRPOTrainer

from benchmarks.sft_step import StepClock
from trivium.backends.torch.callbacks import Reporter
from trivium.backends.torch.gold import Tables
from trivium.backends.torch.grpo import Questions, build, read_questions, shown
from trivium.backends.torch.measure import Meter
from trivium.data import chat
from trivium.data.micro_qa import documents
from trivium.data.neutral import neutral_text
from trivium.models.adapters import attach
from trivium.models.load import load_base, load_tokenizer
from trivium.models.quiet import quiet
from trivium.models.tiny import make_model, make_tokenizer, save
from trivium.rewards.rehearse import proxy
from trivium.rewards.terms import Term, terms
from trivium.schema import Config, DatasetConfig, GrpoMethod, RewardConfig, TinyBuild, UniformLoss
from trivium.scores.completion import split
from trivium.tracking import JsonlTracker, MlflowTracker, Trackers

ROUNDS, STEPS = 7, 12
TERMS = {
    "format": {"fn": "format.exact", "weight": 0.5},
    "approximate": {"fn": "format.approximate", "weight": 0.5},
    "overlap": {"fn": "answer.f1"},
    "facts": {"fn": "honesty.fact_exactness", "weight": 2},
    "repetition": {"fn": "repetition.repetition", "weight": 0.5},
}


def configured() -> Config:
    method = GrpoMethod(max_steps=STEPS, learning_rate=1e-3, max_completion_length=56, completions_steps=0)
    dataset = DatasetConfig(name="micro_qa", kind="questions", generator="micro_qa")
    return Config(loss=UniformLoss(), method=method, dataset=dataset, reward=RewardConfig(name="five", terms=TERMS))


def write_inputs(folder: Path) -> None:
    """An untrained model of the embedded shape, and the small world's questions."""
    config = configured()
    torch.manual_seed(0)
    tokenizer = make_tokenizer(neutral_text(TinyBuild(facts=200)), 1024)
    save(make_model(config.model.build, tokenizer), tokenizer, folder / "base")
    for name in ("train", "heldout"):
        rows = [sample for sample in documents(config.dataset.logic) if sample.metadata["split"] == name]
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row.to_dict())}\n" for row in rows), encoding="utf-8")


def ours(folder: Path, record: Any) -> tuple[GRPOTrainer, Questions]:
    """The trainer as the train stage sets it up, reporting included."""
    config = configured()
    questions, tokenizer = read_questions(config, folder), load_tokenizer(config.model, str(folder / "base"))
    trainer, board = build(config, str(folder / "base"), None, folder / "ours", questions, proxy(config), tokenizer)
    trainer.add_callback(Reporter(record.metrics, lambda step, steps, metrics: None, Meter("cpu"), shown))
    trainer.add_callback(Tables(board, record, 1))
    return trainer, questions


def stock(folder: Path, template: GRPOTrainer, questions: Questions) -> GRPOTrainer:
    """TRL's trainer with the same settings, rows and functions, each function by itself."""
    config = configured()
    model = attach(load_base(config.model, config.hardware, str(folder / "base")), config.adapter, config.seed)
    rows = [{"prompt": chat.prompt(sample, config.dataset.chat), "index": i} for i, sample in enumerate(questions.train)]
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=[function(term, questions) for term in terms(TERMS)],
        args=copy.copy(template.args),
        train_dataset=type(template.train_dataset).from_list(rows),
        processing_class=load_tokenizer(config.model, str(folder / "base")),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def function(term: Term, questions: Questions) -> Callable[..., list[float | None]]:
    """A score as one would hand it to TRL."""

    def reward(completions: list[Any], index: list[int], **_: Any) -> list[float | None]:
        texts = [completion[0]["content"] for completion in completions]
        return [term.fn(split(text), questions.train[i], **term.args) for text, i in zip(texts, index, strict=True)]

    reward.__name__ = term.name
    return reward


class ProcessorClock(StepClock):
    """Processor seconds of every optimiser step."""

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.marks.append(time.process_time())


class Silent:
    """Records nothing."""

    def metrics(self, values: Any, step: int | None = None) -> None:
        pass

    def table(self, name: str, columns: Any, step: int) -> None:
        pass


class Waiting:
    """An MLflow client that does in the foreground what it would do in the background, so that all of it is counted."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def log_batch(self, *args: Any, **kwargs: Any) -> None:
        self._client.log_batch(*args, **{**kwargs, "synchronous": True})


class Timed:
    """A recorder on JSONL and MLflow (sqlite) that notes the seconds of each record."""

    def __init__(self, folder: Path) -> None:
        import mlflow

        client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
        experiment = client.create_experiment("bench", artifact_location=(folder / "artifacts").as_uri())
        self._tracker = Trackers(JsonlTracker(folder), MlflowTracker(Waiting(client), experiment, "bench", {}))
        self.spent: dict[str, list[float]] = {"metrics": [], "table": []}

    def metrics(self, values: Any, step: int | None = None) -> None:
        self._timed("metrics", values, step)

    def table(self, name: str, columns: Any, step: int) -> None:
        self._timed("table", name, columns, step)

    def _timed(self, what: str, *args: Any) -> None:
        started = time.process_time()
        getattr(self._tracker, what)(*args)
        self.spent[what].append(time.process_time() - started)

    def seconds(self, what: str) -> float:
        return statistics.median(self.spent[what])


def seconds_per_step(trainer: GRPOTrainer, seed: int) -> float:
    clock = ProcessorClock()
    trainer.add_callback(clock)
    set_seed(seed)
    trainer.train()
    trainer.remove_callback(clock)
    return clock.seconds()


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name, quiet():
        folder = Path(name)
        write_inputs(folder)
        composed, questions = ours(folder, Silent())
        plain = stock(folder, composed, questions)
        ratios, times = [], []
        for trial in range(ROUNDS):
            order = ((composed, plain), (plain, composed))[trial % 2]
            pair = {trainer: seconds_per_step(trainer, trial) for trainer in order}
            ratios.append(pair[composed] / pair[plain])
            times.append(pair[composed])
        record = Timed(folder)
        step = seconds_per_step(ours(folder, record)[0], 0) - record.seconds("metrics") - record.seconds("table")
    median, spread = statistics.median(ratios), f"{min(ratios):.3f} to {max(ratios):.3f}"
    every = GrpoMethod().completions_steps
    line, table = record.seconds("metrics") / step, record.seconds("table") / every / step
    print(f"GRPO step with five rewards / TRL's with the same: {median:.3f} (at most 1.03; {ROUNDS} rounds, {spread})")
    print(f"tracking: metrics {line:.3f} of a step, tables every {every} steps {table:.3f}; {line + table:.3f} (at most 0.03)")
    print(f"{statistics.median(times):.2f} s a step of 64 completions of at most 56 tokens, on one thread")


if __name__ == "__main__":
    main()
