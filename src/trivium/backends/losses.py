"""The losses, token by token: what is trained, by whatever library, and what the audit measures are these same functions."""

import operator
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from trivium.maths.weights import Policy
from trivium.schema import DistrustLoss, DistrustPublishedLoss, DistrustSampledLoss, UniformLoss

WEIGHTS, OFFSETS = "loss_weights", "loss_offsets"
"""Token-aligned columns of a batch: a factor of each token's loss, and nats added to it."""

Loss = UniformLoss | DistrustLoss | DistrustSampledLoss | DistrustPublishedLoss
Array = Any
"""A tensor of PyTorch, or an array of MLX."""
Terms = dict[str, Array]


def loss_columns(policy: Policy) -> dict[str, list[float]]:
    """The per-sample values that a policy needs in every batch, by column name."""
    columns = {WEIGHTS: policy.weights.tolist()}
    if policy.offsets is not None:
        columns[OFFSETS] = policy.offsets.tolist()
    return columns


def loss_terms(loss: Loss, token_nll: Array, mask: Array, columns: Mapping[str, Array]) -> Terms:
    """The terms of the loss, each with the shape of `token_nll`, in nats, zero where `mask` is false.

    The loss of an optimiser step is the sum over all terms and tokens, divided by the number of supervised tokens of all
    its micro-batches, so that neither packing nor accumulation changes it.
    """
    return _TERMS[type(loss)](token_nll, mask, columns)


def total(terms: Terms) -> Array:
    """The sum of the terms."""
    return reduce(operator.add, terms.values())


def term_names(loss: Loss) -> list[str]:
    """What the terms are called."""
    return list(loss_terms(loss, 0.0, 0.0, {WEIGHTS: 0.0, OFFSETS: 0.0}))


def _uniform(token_nll: Array, _mask: Array, _columns: Mapping[str, Array]) -> Terms:
    return {"cross_entropy": token_nll}


def _distrust(token_nll: Array, _mask: Array, columns: Mapping[str, Array]) -> Terms:
    return {"weighted_cross_entropy": token_nll * columns[WEIGHTS]}


def _sampled(token_nll: Array, _mask: Array, _columns: Mapping[str, Array]) -> Terms:
    return {"sampled_cross_entropy": token_nll}


def _published(token_nll: Array, mask: Array, columns: Mapping[str, Array]) -> Terms:
    return {"cross_entropy": token_nll, "distrust": columns[OFFSETS] * mask}


_TERMS: dict[type, Callable[[Array, Array, Mapping[str, Array]], Terms]] = {
    UniformLoss: _uniform,
    DistrustLoss: _distrust,
    DistrustSampledLoss: _sampled,
    DistrustPublishedLoss: _published,
}
