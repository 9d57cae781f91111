"""What watches a policy while it trains: tables of completions, and the gold reward beside the proxy on held-out prompts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from trivium import durable
from trivium.backends.torch.board import Board
from trivium.data import chat
from trivium.evaluation.torch import TorchRespondent
from trivium.maths import statistics
from trivium.rewards.compose import Composition
from trivium.rewards.rehearse import watcher
from trivium.sample import Sample
from trivium.schema import Config
from trivium.scores.completion import split
from trivium.tracking import Recorder

FLAT = 0.1
"""Standard deviations among prompts; a rise of the mean by less is none."""


class Tables(TrainerCallback, ExportableState):
    """Records the newest batch of completions, with the breakdown of its rewards, every so many steps and at the end.

    What the board has counted goes along with the checkpoints.
    """

    def __init__(self, board: Board, record: Recorder, every: int) -> None:
        self.board, self.record, self.every = board, record, every

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"args": {"every": self.every}, "attributes": self.board.counted()}

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Go on from what a checkpoint tells."""
        kept = state.stateful_callbacks.setdefault(type(self).__name__, {})
        if state.global_step and kept:
            self.board.count_on(kept["attributes"])

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """One table, when it is time."""
        if self.every and (state.global_step % self.every == 0 or state.global_step in (1, state.max_steps)):
            self.record.table("completions", self.board.newest, state.global_step)


class GoldWatch(TrainerCallback):
    """Asks the policy held-out questions (greedily) and scores the answers by the proxy, which it is trained on, and by the
    gold reward, which it never sees: `gold/proxy` and `gold/reward`, means over the same completions.

    `note` keeps what the policy was worth at its start, for a training that goes on from a checkpoint.
    """

    def __init__(
        self, config: Config, composition: Composition, held_out: list[Sample], tokenizer: Any, record: Recorder, note: Path
    ) -> None:
        self.every, self.record, self.composition = config.method.gold_steps, record, composition
        self.samples = held_out[: config.method.gold_prompts] if self.every else []
        self.gold = watcher(config)
        self.config, self.tokenizer, self.note = config, tokenizer, note
        self.first: tuple[Any, ...] | None = None
        self.last: tuple[Any, ...] | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any, **_: Any) -> None:
        """The policy as it starts, unless that was seen before an interruption."""
        if state.global_step and self.note.is_file():
            self.first = tuple(map(np.array, json.loads(self.note.read_text(encoding="utf-8"))))
            return
        self.look(model, state.global_step)
        if self.first:
            durable.write_text(self.note, json.dumps([values.tolist() for values in self.first]))

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any, **_: Any) -> None:
        """The policy as it is, when it is time."""
        if self.every and (state.global_step % self.every == 0 or state.global_step == state.max_steps):
            self.look(model, state.global_step)

    def look(self, model: Any, step: int) -> None:
        """Ask, score, record."""
        if not self.samples or not self.gold.terms:
            return
        talk, training = self.config.dataset.chat, model.training
        hardware, model_config = self.config.hardware, self.config.model
        respondent = TorchRespondent(model.eval(), self.tokenizer, talk, hardware.eval_batch_tokens, model_config.max_length)
        texts = respondent.complete(self.samples, self.config.method.max_completion_length)
        model.train(training)
        read = [split(text, chat.tags(talk)) for text in texts]
        self.last = (self.composition.score(read, self.samples).total, self.gold.score(read, self.samples).total)
        self.first = self.first or self.last
        proxy, reward = (float(np.nanmean(values)) for values in self.last)
        self.record.metrics({"gold/proxy": proxy, "gold/reward": reward}, step)

    def verdict(self) -> dict[str, float]:
        """How proxy and gold changed from the first look to the last, with intervals; `gold/divergence` is 1 where the proxy
        rose (its interval lies above 0, and its mean by more than `FLAT` standard deviations among prompts) and the gold reward
        did neither.
        """
        if self.first is None or self.last is None or self.first is self.last:
            return {}
        metrics: dict[str, float] = {}
        for name, before, after in zip(("proxy", "reward"), self.first, self.last, strict=True):
            both = ~(np.isnan(before) | np.isnan(after))
            if not both.any():
                return {}
            change = statistics.difference(after[both], before[both], 2000, 0.95, self.config.seed)
            metrics |= {f"gold/{name}_first": float(before[both].mean()), f"gold/{name}_last": float(after[both].mean())}
            metrics |= {f"gold/{name}_delta": change.value, f"gold/{name}_delta_ci_low": change.low}
            metrics |= {f"gold/{name}_delta_ci_high": change.high}
        least = {name: FLAT * float(np.nanstd(values)) for name, values in zip(("proxy", "reward"), self.first, strict=True)}
        rose = {name: metrics[f"gold/{name}_delta"] > low for name, low in least.items()}
        proven = {name: metrics[f"gold/{name}_delta_ci_low"] > 0 for name in least}
        diverged = rose["proxy"] and proven["proxy"] and not (rose["reward"] or proven["reward"])
        return metrics | {"gold/divergence": float(diverged)}
