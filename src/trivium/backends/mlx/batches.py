"""Micro-batches as MLX arrays: padded tokens, and the places in them that carry loss with what the loss needs there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np

from trivium.backends.losses import loss_columns
from trivium.backends.rows import IGNORED, Rows
from trivium.maths.weights import Ints, Policy

LENGTH_STEP, PLACES_STEP = 16, 64
"""Lengths and numbers of places are rounded up to these, so that few shapes are compiled."""


class Batch(NamedTuple):
    """A micro-batch of B rows with N supervised predictions: `ids` (B, T - 1) that go in, `places` (N,) in their flattened
    form, the `targets` (N,) there, `mask` (N,) zero on padding, and the loss's columns (N,).
    """

    ids: mx.array
    places: mx.array
    targets: mx.array
    mask: mx.array
    columns: Mapping[str, mx.array]


@dataclass
class Examples:
    """Rows, at indices where some were drawn, with the loss's values of each."""

    rows: Rows
    columns: dict[str, list[float]]
    indices: list[int]

    @classmethod
    def arranged(cls, rows: Rows, policy: Policy, indices: Ints | None = None) -> "Examples":
        """The rows (at `indices`, in that order)."""
        return cls(rows, loss_columns(policy), list(range(len(rows))) if indices is None else indices.tolist())

    def __len__(self) -> int:
        return len(self.indices)

    def supervised(self, positions: Sequence[int]) -> int:
        """Tokens that carry loss among the examples at these positions."""
        return sum(label != IGNORED for p in positions for label in self.rows.labels[self.indices[p]][1:])

    def batch(self, positions: Sequence[int], pad_token_id: int) -> Batch:
        """The examples at these positions as one micro-batch."""
        picked = [self.indices[p] for p in positions]
        ids = _padded([self.rows.input_ids[i] for i in picked], pad_token_id)
        labels = _padded([self.rows.labels[i] for i in picked], IGNORED)[:, 1:]
        row, _ = supervised = np.nonzero(labels != IGNORED)
        count = _up(len(row), PLACES_STEP)
        places = _filled(np.ravel_multi_index(supervised, labels.shape), count)
        columns = {name: np.array([values[i] for i in picked], np.float32)[row] for name, values in self.columns.items()}
        return Batch(
            mx.array(ids[:, :-1]),
            mx.array(places),
            mx.array(_filled(labels[supervised], count)),
            mx.array(_filled(np.ones(len(row), np.float32), count)),
            {name: mx.array(_filled(values, count)) for name, values in columns.items()},
        )


def micro_batches(positions: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """The positions, `size` at a time."""
    for start in range(0, len(positions), size):
        yield positions[start : start + size]


def _padded(rows: Sequence[Sequence[int]], fill: int) -> Any:
    """(B, T) int32, T - 1 a multiple of `LENGTH_STEP`."""
    longest = 1 + _up(max(map(len, rows)) - 1, LENGTH_STEP)
    return np.array([[*row, *[fill] * (longest - len(row))] for row in rows], np.int32)


def _filled(values: Any, count: int) -> Any:
    return np.pad(values, (0, count - len(values)))


def _up(count: int, step: int) -> int:
    return max(step, -(-count // step) * step)
