"""Weights, gradients and optimiser states shared out among the processes (FSDP2), and put together again to be written."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import is_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict, set_optimizer_state_dict
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import Trainer
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME

from trivium.backends.torch import ranks
from trivium.errors import ModelError, TrainingError

WEIGHTS = "weights.safetensors"
"""The weights that train, in a checkpoint, by the names of the model that trains."""


def shard(model: nn.Module, device: str) -> None:
    """Share a model out, block by block; it is on the CPU before, so that no device ever holds all of it.

    Raises `ModelError` for an architecture that does not name its blocks.
    """
    mesh = torch.distributed.init_device_mesh(device, (ranks.count(),))
    for block in _blocks(model):
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    if any(not isinstance(parameter, DTensor) for parameter in model.parameters()):
        raise TrainingError("PyTorch did not share the weights out among the processes; set hardware.parallel=ddp.")


def _blocks(model: Any) -> list[nn.Module]:
    base = model.get_base_model() if is_peft_model(model) else model
    found = [module for module in base.modules() if type(module).__name__ in (base._no_split_modules or ())]
    if not found:
        raise ModelError(
            f"{type(base).__name__} does not name its blocks, which hardware.parallel=fsdp2 shares out; set it to ddp."
        )
    return found


def is_sharded(model: Any) -> bool:
    """Whether a model is shared out."""
    return isinstance(model, FSDPModule)


def whole(model: Any, trained_only: bool = False) -> dict[str, Tensor] | None:
    """The weights of a model that is shared out, each whole, on the CPU of the first process; the others, which must ask as
    well, get none. None of a model that is whole everywhere.
    """
    if not is_sharded(model):
        return None
    _reshard(model)
    found = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad or not trained_only:
            value = parameter.detach().full_tensor()  # type: ignore[attr-defined]
            if ranks.first():
                found[name] = value.cpu()
    return found


def _reshard(model: Any) -> None:
    """Give up what the last forward pass put together: an evaluation leaves some weights whole."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


class ShardedTrainer(Trainer):
    """Mixed in before a library's trainer, whose model may be shared out; that trainer then leaves it as it is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_distributed_loading_by_transformers = is_sharded(self.model)

    def _defer_fsdp_gradient_reduction(self) -> AbstractContextManager[None]:
        return nullcontext()  # after every micro-batch: no process then holds more than its share of the gradients

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        if not is_sharded(self.model):
            super()._save(output_dir, state_dict)
            return
        weights = whole(self.model, trained_only=True) or {}
        if ranks.first():
            folder = Path(str(output_dir))
            folder.mkdir(parents=True, exist_ok=True)
            save_file({name: value.contiguous() for name, value in weights.items()}, folder / WEIGHTS)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if not is_sharded(self.model):
            super()._save_optimizer_and_scheduler(output_dir)
            return
        _reshard(self.model)
        model: Any = self.model
        states = get_optimizer_state_dict(model, self.optimizer.optimizer, options=_WHOLE)
        if ranks.first():
            torch.save(states, Path(output_dir) / OPTIMIZER_NAME)
            torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / SCHEDULER_NAME)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if not is_sharded(self.model):
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        _reshard(self.model)
        weights = load_file(Path(resume_from_checkpoint) / WEIGHTS)
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                if parameter.requires_grad:
                    value = weights[name].to(parameter.device)
                    mine = distribute_tensor(value, parameter.device_mesh, parameter.placements)
                    parameter.to_local().copy_(mine.to_local())

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None or not is_sharded(self.model):
            super()._load_optimizer_and_scheduler(checkpoint)
            return
        files = (Path(checkpoint) / name for name in (OPTIMIZER_NAME, SCHEDULER_NAME))
        states, schedule = (torch.load(file, map_location="cpu", weights_only=True) for file in files)
        model: Any = self.model
        set_optimizer_state_dict(model, self.optimizer.optimizer, states, options=_WHOLE)
        self.lr_scheduler.load_state_dict(schedule)

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm)
        return norm.full_tensor() if isinstance(norm, DTensor) else norm


_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)
