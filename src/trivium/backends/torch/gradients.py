"""The gradient of each term of a loss on one batch, by autograd, through the trainer's own model and collator."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from trivium.backends.losses import Loss
from trivium.backends.torch.trainer import ProvenanceTrainer, split_columns, token_terms


class Gradients:
    """Per term: its mean over the batch's supervised tokens, and its gradient over all trainable weights."""

    def __init__(self, parameters: list[Tensor]) -> None:
        self.parameters = parameters
        self.sums: dict[str, list[Tensor | None]] = {}
        self.values: dict[str, float] = {}
        self.tokens = 0

    def add(self, name: str, term: Tensor) -> None:
        """Add a micro-batch's token losses (B, T) of one term."""
        kept = self.sums.setdefault(name, [None] * len(self.parameters))
        self.values[name] = self.values.get(name, 0.0) + float(term.detach().sum())
        if not term.requires_grad:
            return
        found = torch.autograd.grad(term.sum(), self.parameters, retain_graph=True, allow_unused=True)
        self.sums[name] = [_sum(old, new) for old, new in zip(kept, found, strict=True)]

    @classmethod
    def total(cls, parts: "list[Gradients]") -> "Gradients":
        """The sum over parts of a batch."""
        whole = cls(parts[0].parameters)
        for part in parts:
            whole.tokens += part.tokens
            for name, gradients in part.sums.items():
                kept = whole.sums.setdefault(name, [None] * len(gradients))
                whole.sums[name] = [_sum(old, new) for old, new in zip(kept, gradients, strict=True)]
                whole.values[name] = whole.values.get(name, 0.0) + part.values[name]
        return whole

    def share_of(self, whole: "Gradients") -> float:
        """This part's gradient of the loss along the whole batch's, as a fraction of it; 0 when that is zero."""
        square = _dot(whole._loss(), whole._loss())
        return _dot(self._loss(), whole._loss()) / square if square > 0 else 0.0

    def _loss(self) -> list[Tensor | None]:
        """The gradient of all terms together."""
        found: list[Tensor | None] = [None] * len(self.parameters)
        for gradients in self.sums.values():
            found = [_sum(old, new) for old, new in zip(found, gradients, strict=True)]
        return found

    def value(self, name: str) -> float:
        """The term itself, nats per supervised token."""
        return self.values[name] / max(self.tokens, 1)

    def norm(self, name: str) -> float:
        """Euclidean norm; exactly 0 for a term that no weight reaches."""
        squares = [float(g.double().square().sum()) for g in self.sums[name] if g is not None]
        return float(sum(squares) ** 0.5) / max(self.tokens, 1)

    def cosine(self, name: str, other: "Gradients", other_name: str) -> float:
        """Cosine of the angle to another gradient; 0 when either is zero."""
        dot = _dot(self.sums[name], other.sums[other_name])
        norms = self.norm(name) * other.norm(other_name) * max(self.tokens, 1) * max(other.tokens, 1)
        return dot / norms if norms > 0 else 0.0


def term_gradients(trainer: ProvenanceTrainer, dataset: Any, loss: Loss) -> Gradients:
    """Gradients of the loss's terms on all rows of a dataset, micro-batch by micro-batch, without dropout."""
    trainer.model.eval()
    found = Gradients([p for p in trainer.model.parameters() if p.requires_grad])
    for rows in _chunks(dataset, trainer.args.per_device_train_batch_size):
        inputs, columns = split_columns(trainer._prepare_inputs(trainer.data_collator(rows)))
        with trainer.compute_loss_context_manager():
            scores, terms = token_terms(trainer.model, inputs, loss, columns)
        found.tokens += int(scores.label_mask.sum())
        for name, term in terms.items():
            found.add(name, term)
    return found


def _chunks(dataset: Any, size: int) -> Iterator[list[dict[str, Any]]]:
    rows = dataset.to_list()
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _sum(old: Tensor | None, new: Tensor | None) -> Tensor | None:
    if old is None or new is None:
        return new if old is None else old
    return old + new


def _dot(left: list[Tensor | None], right: list[Tensor | None]) -> float:
    pairs = zip(left, right, strict=True)
    return sum(float((a.double() * b.double()).sum()) for a, b in pairs if a is not None and b is not None)
