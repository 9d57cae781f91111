"""Group relative policy optimisation on TRL: a policy, a reward set, and a gold reward that only watches."""

import logging
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

from datasets import Dataset
from filelock import FileLock
from trl import GRPOConfig, GRPOTrainer
from trl.trainer.utils import RepeatSampler

from trivium.artifact import code_hash, file_hash, key_of, seal, valid
from trivium.backends.interrupt import Stop, graceful_stop
from trivium.backends.lines import CHECKPOINTS, Progress
from trivium.backends.shape import decisive, numeric
from trivium.backends.torch import ranks, sft
from trivium.backends.torch.arguments import common_arguments
from trivium.backends.torch.board import Board
from trivium.backends.torch.callbacks import Reporter
from trivium.backends.torch.careful import CarefulTrainer
from trivium.backends.torch.gold import GoldWatch, Tables
from trivium.backends.torch.measure import Meter
from trivium.backends.torch.start import Load, load
from trivium.backends.torch.watch import Watcher, freed
from trivium.data import chat
from trivium.data.jsonl import read_samples
from trivium.errors import DataError
from trivium.evaluation.probe import Watch
from trivium.maths.advantages import NORMALIZE_THEN_SUM, SUM_THEN_NORMALIZE
from trivium.models.load import load_tokenizer, weights_dir
from trivium.models.quiet import quiet
from trivium.rewards.compose import Composition
from trivium.rewards.rehearse import proxy, rehearse
from trivium.sample import Sample
from trivium.schema import Config, GrpoMethod, SftMethod, UniformLoss
from trivium.tracking import Recorder

logger = logging.getLogger(__name__)

Metrics = dict[str, float]

WARM_START, FIRST_LOOK = "warm_start", "first_look.json"
SHOWN = ("loss", "reward", "reward_std", "frac_reward_zero_std", "kl", "entropy", "grad_norm", "learning_rate", "step_time")
GROUPS = ("rewards/", "completions/", "clip_ratio/")
"""Metrics of a training line, by TRL's names, and the groups that are passed on whole."""


class PolicyTrainer(CarefulTrainer, GRPOTrainer):
    """TRL's trainer with whole checkpoints."""


@dataclass
class Questions:
    """What is asked, and how much of it a training meets."""

    train: list[Sample]
    held_out: list[Sample]
    per_step: int
    steps: int
    seed: int

    def metrics(self) -> dict[str, float]:
        """Distinct prompts that the training meets, and as a share of the data.

        They are drawn as the trainer draws them: every epoch in a new order, of which the end that fills no step is left out.
        """
        epochs = repeat(RepeatSampler(self.train, 1, self.per_step, seed=self.seed))
        seen = len(set(islice(chain.from_iterable(epochs), self.per_step * self.steps)))
        return {"train/prompts_seen": float(seen), "train/prompts_share": seen / len(self.train)}


@freed()
def train(
    config: Config,
    base: str,
    prepared: Path,
    out: Path,
    *,
    record: Recorder,
    progress: Progress,
    watch: Watch | None = None,
    load: Load = load,
) -> dict[str, float]:
    """Train `base` on the rewards, after a warm start if one is configured; returns the final metrics.

    Writes `out/adapter` (PEFT) or `out/model`, and `out/checkpoints`; an interrupted training of the same
    settings goes on from its last checkpoint. Raises what `sft.train` raises, and `ConfigError` or `ModelError` for rewards
    that cannot be used. `load` makes the models.
    """
    ranks.require(config.hardware)
    questions, composition = read_questions(config, prepared), proxy(config)
    rehearse(config, composition, questions.train)
    start, warm = warm_start(config, base, prepared, record, progress, load)
    with graceful_stop() as stop, quiet(), sft.memory_explained(config):
        meter, tokenizer = Meter(config.hardware.device), load_tokenizer(config.model, base)
        trainer, board = build(config, base, start, out / CHECKPOINTS, questions, composition, tokenizer, load=load)
        note = trainer.folder / FIRST_LOOK
        gold = GoldWatch(config, composition, questions.held_out, tokenizer, record, note)
        record.metrics(questions.metrics(), 0)
        reporter = Reporter(record.metrics, progress, meter, shown)
        sft.watch_over(trainer, config, reporter, stop, config.method.num_iterations)
        trainer.add_callback(Tables(board, record, config.method.completions_steps))
        trainer.add_callback(gold)
        if watch is not None:
            trainer.add_callback(Watcher(watch, config, tokenizer))
        metrics = {**_run(trainer, config.method, stop), **meter.metrics(trainer.state)}
        sft.write_weights(trainer, out / weights_dir(config.adapter))
    return {**warm, **questions.metrics(), **metrics, **gold.verdict(), **ranks.sums(board.failure_metrics())}


def read_questions(config: Config, prepared: Path) -> Questions:
    """The prepared questions. Raises `DataError` where there are too few for one step, or no answers to warm up on."""
    method = config.method
    found = Questions(
        list(read_samples(prepared / "train.jsonl")),
        list(read_samples(prepared / "heldout.jsonl")),
        method.total_batch_size // method.num_generations,
        math.ceil(method.max_steps / method.num_iterations),
        config.seed,
    )
    if len(found.train) < found.per_step:
        raise DataError(
            f"there are {len(found.train)} training questions, and a step asks {found.per_step} (method.total_batch_size / "
            "method.num_generations); lower the batch, or add questions."
        )
    if method.warm_start.max_steps and not any(sample.reference for sample in found.train):
        raise DataError(
            "the warm start learns reference answers, and no training question has one; set method.warm_start.max_steps=0, or "
            "name the column with the answers: dataset.fields={response: my_column}."
        )
    return found


def build(
    config: Config,
    base: str,
    start: Path | None,
    folder: Path,
    questions: Questions,
    composition: Composition,
    tokenizer: Any,
    *,
    load: Load = load,
) -> tuple[PolicyTrainer, Board]:
    """The trainer, ready to run from the weights in `start` or else from `base`, and the board that holds its rewards; `folder`
    takes the checkpoints.
    """
    method, talk = config.method, config.dataset.chat
    aggregation = method.aggregation or (NORMALIZE_THEN_SUM if len(composition.terms) > 1 else SUM_THEN_NORMALIZE)
    read = chat.reader(tokenizer, talk)
    judged = dealt(questions.train, config.seed) if config.reward.shuffle else questions.train
    board = Board(composition, judged, method.num_generations, aggregation, read, method.scale_rewards)
    trainer = PolicyTrainer(
        model=load(config, base, start),
        reward_funcs=list[Any](board.functions()),
        args=_arguments(config, folder, aggregation, composition),
        train_dataset=Dataset.from_list([{"prompt": chat.prompt(s, talk), "index": i} for i, s in enumerate(questions.train)]),
        processing_class=tokenizer,
    )
    trainer.start(_checkpoint_key(config, base, questions))
    return trainer, board


def dealt(samples: list[Sample], seed: int) -> list[Sample]:
    """The same questions, each with the reference and the metadata of another one."""
    order = random.Random(f"placebo {seed}").sample(range(len(samples)), len(samples))
    others = dict(zip(order, [*order[1:], order[0]], strict=True))
    return [_with_reference_of(sample, samples[others[i]]) for i, sample in enumerate(samples)]


def _with_reference_of(sample: Sample, other: Sample) -> Sample:
    answer = [{"role": "assistant", "content": other.reference}] if other.reference is not None else []
    return replace(other, id=sample.id, messages=[*sample.prompt, *answer])


def shown(name: str) -> bool:
    """Whether a metric of TRL's lines is passed on."""
    return name in SHOWN or name.startswith(GROUPS)


# --- the warm start --------------------------------------------------------------------------------------------------


def warm_start(
    config: Config, base: str, prepared: Path, record: Recorder, progress: Progress, load: Load = load
) -> tuple[Path | None, Metrics]:
    """Supervised steps on the references, done once for all runs with the same settings.

    Returns the folder with its weights and its metrics as `warm_start/…`; None and nothing where there is none.
    """
    settings = _supervised(config)
    if settings is None:
        return None, {}
    machine = (numeric(settings.hardware), settings.backend.name)
    parts = (settings.model, settings.adapter, *machine, settings.method, settings.dataset.chat, settings.seed)
    key = key_of(base, *parts, file_hash(prepared / "train.jsonl"), code_hash("backends", "models", "data/chat.py"))
    folder = Path(config.cache_dir) / "warm_starts" / key
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / weights_dir(config.adapter)
    with ranks.holding(FileLock(folder / ".lock")):
        if (manifest := ranks.shared(lambda: valid(weights, key))) is None:
            metrics = sft.train(settings, base, prepared, folder, record=_Prefixed(record), progress=progress, load=load)
            files = [path for path in weights.rglob("*") if path.is_file()]
            manifest = ranks.shared(lambda: seal(weights, WARM_START, key, files, metrics))
    kept = ("train/loss", "train/steps", "eval_nll")
    return folder, {f"{WARM_START}/{n.removeprefix('train/')}": manifest.metrics[n] for n in kept if n in manifest.metrics}


def _supervised(config: Config) -> Config | None:
    """The warm start as a configuration of its own, None where there is none."""
    warm = config.method.warm_start
    if not warm.max_steps:
        return None
    method = SftMethod(
        max_steps=warm.max_steps,
        learning_rate=warm.learning_rate,
        total_batch_size=warm.total_batch_size,
        assistant_only_loss=config.method.assistant_only_loss,
        optim=config.method.optim,
        max_grad_norm=config.method.max_grad_norm,
    )
    return replace(config, method=method, loss=UniformLoss())


class _Prefixed:
    """A recorder whose metrics are the warm start's, so that its steps are not taken for the policy's."""

    def __init__(self, record: Recorder) -> None:
        self._record = record

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Under `warm_start/`."""
        self._record.metrics({f"{WARM_START}/{name}": value for name, value in values.items() if name[:8] != "weights/"}, step)

    def table(self, name: str, columns: Mapping[str, list[Any]], step: int) -> None:
        """Under `warm_start_`."""
        self._record.table(f"{WARM_START}_{name}", columns, step)


# --- the policy ------------------------------------------------------------------------------------------------------


def _checkpoint_key(config: Config, base: str, questions: Questions) -> str:
    """What a checkpoint belongs to: everything that shapes the weights, and nothing that only watches them."""
    method = decisive(config.method)
    reward = (config.reward.terms, config.reward.scorers, config.reward.shuffle)
    data = [sample.to_dict() for sample in questions.train]
    return key_of(
        base, config.model, config.adapter, numeric(config.hardware), method, reward, config.dataset.chat, config.seed, data
    )


def _run(trainer: PolicyTrainer, method: GrpoMethod, stop: Stop) -> dict[str, float]:
    """Train to the end, from the latest checkpoint if there is one."""
    if not method.max_steps:
        return {"train/steps": 0.0}
    resumed = trainer.latest_checkpoint()
    trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    sft.require_finished(trainer, stop)
    last = {name: line[name] for line in trainer.state.log_history for name in ("loss", "reward") if name in line}
    metrics = {f"train/{name}": float(value) for name, value in last.items()}
    return metrics | {"train/steps": float(trainer.state.global_step)}


def _arguments(config: Config, folder: Path, aggregation: str, composition: Composition) -> GRPOConfig:
    method = config.method
    return GRPOConfig(
        **common_arguments(config, folder, max(1, method.max_steps)),
        num_generations=method.num_generations,
        max_completion_length=method.max_completion_length,
        temperature=method.temperature,
        top_p=method.top_p,
        top_k=method.top_k,
        min_p=method.min_p,
        repetition_penalty=method.repetition_penalty,
        beta=method.beta,
        loss_type=method.loss_type,
        epsilon=method.epsilon,
        epsilon_high=method.epsilon_high,
        delta=method.delta,
        num_iterations=method.num_iterations,
        importance_sampling_level=method.importance_sampling_level,
        scale_rewards=method.scale_rewards,
        multi_objective_aggregation=aggregation,
        reward_weights=[term.weight for term in composition.terms],
        mask_truncated_completions=method.mask_truncated_completions,
    )
