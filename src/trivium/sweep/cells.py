"""Grids: the cells of a space whose every setting has finitely many values, and a sampler that visits each of them once."""

import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

Space = Mapping[str, BaseDistribution]
Cell = tuple[int, ...]
"""The index of each setting's value, in the order of the space."""


class CellSampler(BaseSampler):
    """Proposes the cell that was tried least, in an order that the seed shuffles.

    Unlike Optuna's own, it looks at the values of all trials, so points given first, trials of other processes and points
    tried again are cells visited; and it never stops Optuna's own loop, which is not run here.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._space, self._sizes = space, [size(one) or 1 for one in space.values()]
        self._order = list(range(math.prod(self._sizes)))
        random.Random(seed).shuffle(self._order)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All settings together."""
        return dict(self._space)

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        """The values of the next cell."""
        everything = study._storage.get_all_trials(study._study_id, deepcopy=False)  # a Hyperband bracket hides the others
        visits = Counter(visited(self._space, everything))
        index = min(self._order, key=lambda i: visits[self._cell(i)])
        return {key: value(one, i) for (key, one), i in zip(self._space.items(), self._cell(index), strict=True)}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Never asked for: there is no setting outside of the space."""
        raise NotImplementedError(f"{param_name} is not in the grid")

    def _cell(self, index: int) -> Cell:
        indices = []
        for n in reversed(self._sizes):
            index, i = divmod(index, n)
            indices.append(i)
        return tuple(reversed(indices))


def size(kind: BaseDistribution) -> int | None:
    """How many values a setting has; None for a continuous interval."""
    if isinstance(kind, CategoricalDistribution):
        return len(kind.choices)
    if isinstance(kind, IntDistribution):
        return (kind.high - kind.low) // kind.step + 1
    if isinstance(kind, FloatDistribution) and kind.step is not None:
        return round((kind.high - kind.low) / kind.step) + 1
    return None


def value(kind: BaseDistribution, index: int) -> Any:
    """A setting's value at an index; floats in as few digits as their step has."""
    if isinstance(kind, CategoricalDistribution):
        return kind.choices[index]
    if isinstance(kind, IntDistribution):
        return kind.low + index * kind.step
    if isinstance(kind, FloatDistribution) and kind.step is not None:
        return min(float(f"{kind.low + index * kind.step:.12g}"), kind.high)
    raise TypeError(f"{kind} has no cells")


def visited(space: Space, trials: Sequence[FrozenTrial]) -> Iterator[Cell]:
    """The cell of every trial that has one, whatever became of the trial."""
    for trial in trials:
        params = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
        indices = [_index(kind, params[key]) for key, kind in space.items() if key in params]
        if len(indices) == len(space) and None not in indices:
            yield tuple(i for i in indices if i is not None)


def _index(kind: BaseDistribution, value: Any) -> int | None:
    """The inverse of `value`; None for a value that is in no cell."""
    if isinstance(kind, CategoricalDistribution):
        return int(kind.to_internal_repr(value))
    if isinstance(kind, IntDistribution | FloatDistribution) and kind.step is not None:
        exact = (float(value) - kind.low) / kind.step
        return round(exact) if math.isclose(exact, round(exact), abs_tol=1e-6) else None
    return None
