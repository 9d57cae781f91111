"""What the tensors of a training take, counted by their storages: on any device, without what libraries take beside them."""

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class Ledger(TorchDispatchMode):
    """Bytes of a model's tensors, and of all that operations return while it is entered, as long as they live.

    `peak` is the most at once; `weights` and `gradients` are what of it the model and its gradients were, and `states` what its
    optimiser keeps, once it has taken a step.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self._sizes: dict[int, int] = {}
        self._live = self.peak = self.gradients = 0
        self._trained = [p for p in model.parameters() if p.requires_grad]
        for tensor in (*model.parameters(), *model.buffers()):
            self._note(tensor)
        self.weights = self._live

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation and note what it returns."""
        found = func(*args, **(kwargs or {}))
        for leaf in tree_iter(found):
            if isinstance(leaf, torch.Tensor):
                self._note(leaf)
        if self._live > self.peak:
            self.peak = self._live
            self.gradients = sum(p.grad.nbytes for p in self._trained if p.grad is not None)
        return found

    def _note(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        place = storage._cdata
        if place not in self._sizes:
            self._sizes[place] = storage.nbytes()
            self._live += storage.nbytes()
            weakref.finalize(storage, self._forget, place).atexit = False

    def _forget(self, place: int) -> None:
        self._live -= self._sizes.pop(place)


def states(optimizer: torch.optim.Optimizer) -> int:
    """Bytes of an optimiser's states."""
    return sum(v.nbytes for state in optimizer.state.values() for v in state.values() if isinstance(v, torch.Tensor))
