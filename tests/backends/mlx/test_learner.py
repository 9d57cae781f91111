"""The parts of a step: its micro-batches, its learning rate, its gradient."""

import mlx.core as mx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import get_scheduler

from trivium.backends.losses import OFFSETS, WEIGHTS
from trivium.backends.mlx.batches import LENGTH_STEP, PLACES_STEP, Examples, micro_batches
from trivium.backends.mlx.learner import rate
from trivium.backends.rows import IGNORED, Rows
from trivium.backends.shape import warmup_steps
from trivium.maths.weights import Policy
from trivium.schema import SftMethod

KINDS = ("cosine", "linear", "constant", "constant_with_warmup")


@given(st.sampled_from(KINDS), st.integers(1, 60), st.floats(0, 0.99))
@settings(deadline=None)
def test_the_rate_is_that_of_transformers(kind, steps, warmup):
    method = SftMethod(lr_scheduler_type=kind, learning_rate=0.3, warmup_ratio=warmup)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    schedule = get_scheduler(kind, optimizer, warmup_steps(method, steps), steps)
    for step in range(steps):
        assert rate(method, step, steps) == pytest.approx(schedule.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        schedule.step()


ROWS = st.lists(
    st.lists(st.tuples(st.integers(1, 90), st.booleans()), min_size=2, max_size=20).filter(
        lambda row: any(on for _, on in row[1:])
    ),
    min_size=1,
    max_size=5,
)


@given(ROWS, st.data())
@settings(deadline=None)
def test_a_batch_holds_each_supervised_token_once_with_its_rows_values(rows, data):
    ids = [[token for token, _ in row] for row in rows]
    labels = [[token if on else IGNORED for token, on in row] for row in rows]
    policy = Policy(np.arange(1.0, len(rows) + 1), offsets=-np.arange(1.0, len(rows) + 1))
    indices = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=6)))
    examples = Examples.arranged(Rows(ids, labels, [None] * len(rows), [None] * len(rows)), policy, indices)
    batch = examples.batch(range(len(examples)), pad_token_id=0)
    wanted = [(i, t, labels[r][t]) for i, r in enumerate(indices) for t in range(1, len(ids[r])) if labels[r][t] != IGNORED]
    inputs, count = np.array(batch.ids), len(wanted)
    assert inputs.shape[1] % LENGTH_STEP == 0 and batch.places.size % PLACES_STEP == 0
    assert np.array(batch.mask).tolist() == [1.0] * count + [0.0] * (batch.mask.size - count)
    assert examples.supervised(range(len(examples))) == count
    for place, target, (i, t, label) in zip(batch.places.tolist(), batch.targets.tolist(), wanted, strict=False):
        row, column = divmod(place, inputs.shape[1])
        assert (row, column, target) == (i, t - 1, label)
        assert inputs[row, column] == ids[indices[i]][t - 1]
    values = [float(indices[i] + 1) for i, _, _ in wanted]
    assert batch.columns[WEIGHTS].tolist()[:count] == values
    assert batch.columns[OFFSETS].tolist()[:count] == [-value for value in values]


def test_micro_batches_are_the_batch_in_order():
    assert [list(part) for part in micro_batches([4, 2, 9, 1, 7], 2)] == [[4, 2], [9, 1], [7]]
    assert mx.array([1]).dtype == mx.int32
