"""The scoring of a GRPO step: the composition is asked once, TRL's reward functions read their columns from the result."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from trivium.maths.advantages import advantages, shares
from trivium.rewards.compose import Composition, Table
from trivium.sample import Sample
from trivium.scores.completion import Completion
from trivium.scores.repetition import ngrams, repeated_share

RewardFunction = Callable[..., list[float | None]]


class Board:
    """What the completions of the newest batch are worth, and what that says about the rewards; `read` splits a text."""

    def __init__(
        self,
        composition: Composition,
        samples: Sequence[Sample],
        group: int,
        aggregation: str,
        read: Callable[[str], Completion],
        scale: str = "group",
    ) -> None:
        self._composition, self._samples, self._read = composition, samples, read
        self._formula = (group, aggregation, scale)
        self._batch: list[Any] | None = None
        self._first_length: float | None = None
        self.newest: dict[str, list[Any]] = {}
        self.failures: Counter[str] = Counter()

    def functions(self) -> list[RewardFunction]:
        """One reward function for TRL per term, of the term's name."""
        return [self._function(term.name) for term in self._composition.terms]

    def _function(self, name: str) -> RewardFunction:
        def reward(
            completions: list[Any], index: list[int], completion_ids: list[list[int]], **given: Any
        ) -> list[float | None]:
            if self._batch is not completions:
                self._score(completions, index, completion_ids, given["log_metric"])
                self._batch = completions
            return self._table.column(name)

        reward.__name__ = name
        return reward

    def _score(self, completions: list[Any], index: list[int], ids: list[list[int]], log: Callable[[str, float], None]) -> None:
        texts = [_text(completion) for completion in completions]
        read = list(map(self._read, texts))
        samples = [self._samples[i] for i in index]
        self._table = self._composition.score(read, samples)
        self.failures.update(self._table.failures)
        for name, value in self._metrics(read, ids).items():
            log(name, value)
        self.newest = _rows(self._table, texts, samples, self._advantages())

    def failure_metrics(self) -> dict[str, float]:
        """Values that are missing because something failed, by term, over the whole training."""
        return {f"train/failures/{name}": float(count) for name, count in self.failures.items()}

    def counted(self) -> dict[str, Any]:
        """What later metrics are reckoned from: the length of the first completions, failures so far."""
        return {"first_length": self._first_length, "failures": dict(self.failures)}

    def count_on(self, counted: Mapping[str, Any]) -> None:
        """Go on from what was counted before an interruption."""
        self._first_length, self.failures = counted["first_length"], Counter(counted["failures"])

    def _advantages(self) -> list[float]:
        return list(map(float, advantages(self._table.values, self._table.weights, *self._formula)))

    def _metrics(self, read: list[Completion], ids: list[list[int]]) -> dict[str, float]:
        """Per term: coverage, failures, share of the advantages' variance, share of groups without any; and of the batch."""
        table = self._table
        found = shares(table.values, table.weights, *self._formula)
        coverage = 1 - np.isnan(table.values).mean(axis=0)
        metrics: dict[str, float] = {}
        for k, name in enumerate(table.names):
            metrics[f"rewards/{name}/coverage"] = float(coverage[k])
            metrics[f"rewards/{name}/failures"] = float(table.failures[name])
            metrics[f"rewards/{name}/variance_share"] = float(found.variance[k])
            metrics[f"rewards/{name}/zero_variance"] = float(found.zero[k])
        length = float(np.mean([len(tokens) for tokens in ids]))
        self._first_length = self._first_length or length
        return metrics | {
            "rewards/collapse": found.collapse,
            "completions/length_drift": length / max(self._first_length, 1.0),
            "completions/repetition": float(np.mean([repeated_share(ngrams(c.answer.split(), 4)) for c in read])),
        }


def _text(completion: Any) -> str:
    """The words of a completion as TRL hands it over: a text, or a list of messages."""
    return completion if isinstance(completion, str) else "".join(message["content"] or "" for message in completion)


def _rows(table: Table, texts: list[str], samples: list[Sample], found: list[float]) -> dict[str, list[Any]]:
    """The batch as columns: prompt, completion, reference, every reward and the whole, advantage."""
    return {
        "prompt": [sample.question for sample in samples],
        "completion": texts,
        "reference": [sample.reference for sample in samples],
        **{name: table.column(name) for name in table.names},
        "reward": [None if math.isnan(value) else float(value) for value in table.total],
        "advantage": found,
    }
