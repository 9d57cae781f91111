"""Rows as the dataset that the trainer takes, with the loss's values beside every token."""

from typing import Any

from trivium.backends.losses import loss_columns
from trivium.backends.rows import Rows
from trivium.maths.weights import Ints, Policy


def to_dataset(rows: Rows, policy: Policy, indices: Ints | None = None) -> Any:
    """A `datasets.Dataset` of the rows (at `indices`, in that order) with token-aligned loss columns."""
    from datasets import Dataset, Features, Sequence, Value

    picked = range(len(rows)) if indices is None else indices.tolist()
    columns: dict[str, list[list[Any]]] = {
        "input_ids": [rows.input_ids[i] for i in picked],
        "labels": [rows.labels[i] for i in picked],
    }
    for name, values in loss_columns(policy).items():
        columns[name] = [[values[i]] * len(rows.input_ids[i]) for i in picked]
    integers = ("input_ids", "labels")
    features = Features({name: Sequence(Value("int64" if name in integers else "float32")) for name in columns})
    return Dataset.from_dict(columns, features=features)
