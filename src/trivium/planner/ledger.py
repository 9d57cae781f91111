"""What the tensors of a block of code take, counted by their storages: on any device, and free of what libraries take."""

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class Ledger(TorchDispatchMode):
    """Bytes of all tensors that operations return while it is entered, besides those of a model that was there before.

    `peak` is the most at once; `parts` says what of it was weights, adapter, gradients and optimiser states, and what the rest.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self._seen: weakref.WeakSet[Any] = weakref.WeakSet()
        self._live = self.peak = 0
        self._states: dict[int, int] = {}
        self._model = model
        self._trained = [p for p in model.parameters() if p.requires_grad]
        self.parts: dict[str, int] = {}
        for tensor in (*model.parameters(), *model.buffers()):
            self._note(tensor)
        self._weights = self._live
        self._hook: Any = None

    def __enter__(self) -> "Ledger":
        self._hook = register_optimizer_step_post_hook(self._count_states)
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._hook.remove()

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation and note the storages of what it returns."""
        found = func(*args, **(kwargs or {}))
        for tensor in tree_iter(found):
            if isinstance(tensor, torch.Tensor):
                self._note(tensor)
        if self._live > self.peak:
            self.peak, self.parts = self._live, {}
            self._gradients = self._of_gradients()
        return found

    def _note(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._seen:
            return
        self._seen.add(storage)
        size = storage.nbytes()
        self._live += size
        weakref.finalize(storage, self._forget, size).atexit = False

    def _forget(self, size: int) -> None:
        self._live -= size

    def _of_gradients(self) -> int:
        return sum(p.grad.nbytes for p in self._trained if p.grad is not None)

    def _count_states(self, optimizer: Optimizer, *_: Any) -> None:
        tensors = (value for state in optimizer.state.values() for value in state.values() if isinstance(value, torch.Tensor))
        self._states[id(optimizer)] = sum(tensor.nbytes for tensor in tensors)
