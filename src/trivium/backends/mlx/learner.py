"""A model that learns: gradients of the configured loss, summed over micro-batches, clipped, and AdamW."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map, tree_reduce

from trivium.backends.lines import parts
from trivium.backends.losses import Loss, loss_terms, term_names, total
from trivium.backends.mlx.batches import Batch
from trivium.backends.shape import warmup_steps
from trivium.models.mlx_head import logits_at
from trivium.schema import SftMethod

_UNDECAYED = re.compile(r"bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)", re.IGNORECASE)
"""Names of the weights that Transformers' trainer leaves out of weight decay."""
_SUMS = ("nll", "loss", "entropy", "mean_token_accuracy")


def sums_of(loss: Loss) -> tuple[str, ...]:
    """What is summed over the supervised tokens: these, and the terms of a loss that has several."""
    return *_SUMS, *parts(dict.fromkeys(term_names(loss), 0.0))


class Step(NamedTuple):
    """An optimiser step: its loss per supervised token, the gradient's norm before clipping, and sums over its tokens."""

    loss: float
    grad_norm: float
    sums: dict[str, float]

    @property
    def finite(self) -> bool:
        """Whether it may be kept."""
        return math.isfinite(self.loss) and math.isfinite(self.grad_norm)


class Learner:
    """A model, its optimiser, and the two compiled functions of a step."""

    def __init__(self, model: Any, loss: Loss, method: SftMethod) -> None:
        self.model, self.loss, self.method = model, loss, method
        self.optimizer = _optimizer(method)
        self.optimizer.init(model.trainable_parameters())
        self._state = [model.state, self.optimizer.state]
        self._gradients = mx.compile(self._gradients_of, inputs=[model.state, mx.random.state], outputs=[mx.random.state])
        self._update = mx.compile(self._update_by, inputs=self._state, outputs=self._state)

    def step(self, batches: Sequence[Batch], tokens: int, learning_rate: float) -> Step:
        """One step on micro-batches that hold so many supervised tokens together."""
        self.optimizer.learning_rate = learning_rate
        gradients: Any = None
        sums: Any = None
        for batch in batches:
            found, part = self._gradients(mx.array(float(tokens)), *batch)
            gradients = found if gradients is None else tree_map(mx.add, gradients, found)
            sums = part if sums is None else sums + part
            if len(batches) > 1:
                mx.eval(gradients, sums)  # one micro-batch's activations at a time
        norm = self._update(gradients)
        mx.eval(self._state, mx.random.state, sums, norm)
        values = dict(zip(sums_of(self.loss), sums.tolist(), strict=True))
        return Step(values["loss"] / tokens, norm.item(), values)

    def finite(self) -> bool:
        """Whether all weights are."""
        return bool(mx.stack([mx.isfinite(tensor).all() for _, tensor in tree_flatten(self.model.parameters())]).all())

    def measure(self, batch: Batch) -> dict[str, float]:
        """Sums over a batch's supervised tokens, nothing learnt."""
        _, sums = scored(self.model, self.loss, batch, mx.array(1.0))
        return dict(zip(sums_of(self.loss), sums.tolist(), strict=True))

    def _gradients_of(self, tokens: mx.array, *parts: Any) -> tuple[Any, mx.array]:
        before = self.model.trainable_parameters()
        value_and_gradient = nn.value_and_grad(self.model, partial(scored, self.model, self.loss))
        (_, sums), gradients = value_and_gradient(Batch(*parts), tokens)
        self.model.update(before)  # not those that the gradient was traced with
        return gradients, sums

    def _update_by(self, gradients: Any) -> mx.array:
        norm = mx.sqrt(tree_reduce(lambda sofar, g: sofar + mx.square(g.astype(mx.float32)).sum(), gradients, mx.array(0.0)))
        if self.method.max_grad_norm > 0:
            factor = mx.minimum(self.method.max_grad_norm / (norm + 1e-6), 1.0)
            gradients = tree_map(lambda g: g * factor.astype(g.dtype), gradients)
        self.optimizer.update(self.model, gradients)
        return norm

    def tensors(self) -> tuple[dict[str, mx.array], dict[str, mx.array]]:
        """The weights that are trained, and the optimiser's state, by name."""
        return dict(tree_flatten(self.model.trainable_parameters())), dict(tree_flatten(self.optimizer.state))

    def restore(self, weights: Mapping[str, mx.array], optimizer: Mapping[str, mx.array]) -> None:
        """Put back what `tensors` gave."""
        self.model.load_weights(list(weights.items()), strict=False)
        _refill(self.optimizer.state, optimizer, "")
        mx.eval(self._state)


def _refill(tree: Any, tensors: Mapping[str, mx.array], prefix: str) -> None:
    """Replace the arrays in a tree of dictionaries and lists, which themselves stay: the compiled functions hold them."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if isinstance(value, mx.array):
            tree[key] = tensors[f"{prefix}{key}"]
        elif isinstance(value, dict | list):
            _refill(value, tensors, f"{prefix}{key}.")


def scored(model: Any, loss: Loss, batch: Batch, tokens: mx.array) -> tuple[mx.array, mx.array]:
    """The batch's share of the step's loss (nats a token of `tokens`), and the sums named in `sums_of`."""
    logits = logits_at(model, batch.ids, batch.places)
    log_total = mx.logsumexp(logits, axis=-1)
    nll = (log_total - mx.take_along_axis(logits, batch.targets[:, None], axis=-1)[:, 0]) * batch.mask
    terms = loss_terms(loss, nll, batch.mask, batch.columns)
    combined = total(terms) * batch.mask
    seen = mx.stop_gradient(logits)
    entropy = (log_total - (mx.softmax(seen, axis=-1) * seen).sum(axis=-1)) * batch.mask
    hits = (mx.argmax(seen, axis=-1) == batch.targets) * batch.mask
    several = [term * batch.mask for term in terms.values()] if len(terms) > 1 else []
    return combined.sum() / tokens, mx.stop_gradient(mx.stack([x.sum() for x in (nll, combined, entropy, hits, *several)]))


def rate(method: SftMethod, step: int, steps: int) -> float:
    """The learning rate of a step, counted from 0: the schedules of Transformers."""
    warmup, kind = warmup_steps(method, steps), method.lr_scheduler_type
    if kind == "constant":
        return method.learning_rate
    if step < warmup:
        return method.learning_rate * step / warmup
    return method.learning_rate * _AFTER_WARMUP[kind]((step - warmup) / max(1, steps - warmup))


_AFTER_WARMUP: dict[str, Callable[[float], float]] = {
    "constant_with_warmup": lambda done: 1.0,
    "linear": lambda done: max(0.0, 1.0 - done),
    "cosine": lambda done: max(0.0, 0.5 * (1.0 + math.cos(math.pi * done))),
}


def _optimizer(method: SftMethod) -> Any:
    """AdamW as PyTorch has it."""
    settings: dict[str, Any] = {"learning_rate": method.learning_rate, "betas": [0.9, 0.999], "eps": 1e-8}
    settings["bias_correction"] = True
    decayed = optim.AdamW(**settings, weight_decay=method.weight_decay)
    if not method.weight_decay:
        return decayed
    return optim.MultiOptimizer(
        [decayed, optim.AdamW(**settings, weight_decay=0.0)], [lambda name, _: _UNDECAYED.search(name) is None]
    )
