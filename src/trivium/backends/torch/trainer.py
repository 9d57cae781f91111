"""TRL's SFTTrainer with a loss value beside every token, an order fixed in advance, and checkpoints that are whole."""

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import torch
from accelerate.utils import is_peft_model
from torch.utils.data import ConcatDataset, DataLoader
from trl import SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling
from trl.trainer.utils import pad

from trivium.backends.lines import parts
from trivium.backends.losses import OFFSETS, WEIGHTS, Loss, Terms, loss_terms, total
from trivium.backends.rows import IGNORED
from trivium.backends.torch import ranks
from trivium.backends.torch.careful import CarefulTrainer
from trivium.backends.torch.sharding import ShardedTrainer
from trivium.maths.weights import Ints
from trivium.models.head import TokenScores, add_token_scores


@dataclass
class TokenCollator(DataCollatorForLanguageModeling):
    """Pads the loss columns along with the tokens.

    Packed rows (`return_position_ids`) go without an attention mask: the model then keeps each sample to itself by its
    positions. `padding_free` flattens the micro-batch to one row, as flash attention wants packed rows.
    """

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Rows to a batch: (B, T) tensors, or (1, B·T) when flattened."""
        batch = super().torch_call(examples)
        if self.return_position_ids and not self.padding_free:
            del batch["attention_mask"]
            batch["labels"][batch["position_ids"] == 0] = IGNORED
        for name in (WEIGHTS, OFFSETS):
            if name in examples[0]:
                rows = [torch.tensor(example[name], dtype=torch.float32) for example in examples]
                rows = [torch.cat(rows)] if self.padding_free else rows
                batch[name] = pad(rows, padding_value=0, padding_side="right")
        return batch


def split_columns(inputs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """A batch as the model's inputs and the loss columns (B, T - 1), aligned with the tokens that are predicted."""
    columns = {name: inputs[name][:, 1:] for name in (WEIGHTS, OFFSETS) if name in inputs}
    return {name: value for name, value in inputs.items() if name not in columns}, columns


def token_terms(
    model: Any, inputs: dict[str, Any], loss: Loss, columns: dict[str, torch.Tensor]
) -> tuple[TokenScores, dict[str, torch.Tensor]]:
    """One forward pass: the scores of the predicted tokens and the loss terms (B, T - 1)."""
    scores: TokenScores = model(**inputs, token_scores=True)
    return scores, loss_terms(loss, -scores.log_probs, scores.label_mask, columns)


class _Tally:
    """Sums over the tokens since the last metric line, kept on the device until they are asked for."""

    def __init__(self) -> None:
        self.sums: Any = 0.0
        self.terms: list[str] = []
        self.tokens = 0
        self.since = time.perf_counter()

    def add(self, scores: TokenScores, terms: Terms, loss: torch.Tensor) -> None:
        columns = (scores.label_mask, scores.log_probs, loss, scores.entropy, scores.is_top1, *terms.values())
        self.terms = list(terms)
        self.sums = self.sums + torch.stack([column.detach().sum().double() for column in columns])

    def means(self) -> dict[str, float]:
        """Per supervised token: nll, loss, its parts and entropy in nats, and the share of top choices that were right."""
        count, log_probs, loss, entropy, hits, *terms = ranks.total(self.sums).tolist()
        sums = {"nll": -log_probs, "loss": loss, "entropy": entropy, "mean_token_accuracy": hits}
        sums |= parts(dict(zip(self.terms, terms, strict=True)))
        return {name: value / max(count, 1.0) for name, value in sums.items()}


class ProvenanceTrainer(CarefulTrainer, ShardedTrainer, SFTTrainer):
    """SFTTrainer whose per-token losses become the configured loss's terms before they are summed."""

    def __init__(self, loss: Loss, order: Ints, checkpoint_key: str, packed: bool, **kwargs: Any) -> None:
        self._loss, self._order = loss, order
        self._tallies: dict[str, _Tally] = defaultdict(_Tally)
        super().__init__(**kwargs)
        self.start(checkpoint_key)
        add_token_scores(self.model.get_base_model() if is_peft_model(self.model) else self.model)
        flash = self.model.config._attn_implementation.startswith("flash")
        self.data_collator = TokenCollator(
            pad_token_id=self.data_collator.pad_token_id,
            padding_free=packed and flash,
            return_position_ids=packed and not flash,
        )
        # The loss is summed here, whatever the model's own forward accepts: always count the accumulated batch's tokens.
        self.model_accepts_loss_kwargs = True
        self._loss_shifts_labels = True

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The sum of the terms over tokens, divided by the accumulated batch's supervised tokens."""
        inputs, columns = split_columns(inputs)
        tally = self._tallies["train" if self.model.training else "eval"]
        tally.tokens += inputs["input_ids"].numel()
        if self.model.training:
            self.state.num_input_tokens_seen += inputs["input_ids"].numel() * self.accelerator.num_processes
        scores, terms = token_terms(model, inputs, self._loss, columns)
        combined = total(terms)
        tally.add(scores, terms, combined)
        count = scores.label_mask.sum().clamp(min=1) if num_items_in_batch is None else num_items_in_batch
        loss = combined.sum() / count
        if num_items_in_batch is not None and self.args.average_tokens_across_devices:
            loss = loss * self.accelerator.num_processes  # the count is of all ranks; gradients are averaged over them
        return (loss, scores) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the exact token means of the line's steps."""
        mode = "train" if self.model.training else "eval"
        tally = self._tallies.pop(mode, None)
        if tally is not None and tally.tokens:
            means = tally.means()
            if mode == "train":
                del means["loss"]  # the trainer's own is the mean over steps
                tokens = ranks.sums({"tokens": tally.tokens})["tokens"]
                logs["tokens_per_second"] = tokens / max(time.perf_counter() - tally.since, 1e-9)
            self._metrics[mode].update({name: [value] for name, value in means.items()})
        super().log(logs, start_time)

    def final_evaluation(self) -> dict[str, float]:
        """Held-out `eval_nll` and `eval_loss` (nats per supervised token) of the last step, measured once."""
        done = [line for line in self.state.log_history if "eval_nll" in line and line["step"] == self.state.global_step]
        line = done[-1] if done else self.evaluate()
        return {name: float(line[name]) for name in ("eval_nll", "eval_loss")}

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """Of several processes each takes its share of the held-out rows, filled up with a row that counts nothing."""
        if ranks.count() == 1:
            return super().get_eval_dataloader(eval_dataset)
        rows: Any = self.eval_dataset if eval_dataset is None else eval_dataset
        mine = rows.select(range(ranks.rank(), len(rows), ranks.count()))
        missing = -(-len(rows) // ranks.count()) - len(mine)
        nothing: Any = {**rows[0], "labels": [IGNORED] * len(rows[0]["labels"])}
        share: Any = [mine, [nothing] * missing]
        return DataLoader(ConcatDataset(share), self.args.per_device_eval_batch_size, collate_fn=self.data_collator)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        """Every row of the whole training, in order: the data position is the step count, so resuming is exact."""
        return self._order.tolist()
