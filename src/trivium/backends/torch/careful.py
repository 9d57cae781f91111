"""What every trainer here does beside its method: whole checkpoints, a stop before a step that is not finite, silence."""

from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, Trainer

from trivium.backends import checkpoints
from trivium.backends.lines import why_not_finite
from trivium.backends.torch import ranks
from trivium.errors import NotFinite
from trivium.models.quantised import adapter_kept


class CarefulTrainer(Trainer):
    """Mixed in before a library's trainer; call `start` once that is built."""

    folder: Path
    _key: str
    _staging: Path | None = None

    def __init__(self, **kwargs: Any) -> None:
        with adapter_kept(kwargs["model"]):
            super().__init__(**kwargs)

    def start(self, checkpoint_key: str) -> None:
        """Say what the checkpoints belong to; only those with the same key are resumed."""
        self.folder, self._key = Path(str(self.args.output_dir)), checkpoint_key
        self.remove_callback(PrinterCallback)

    def latest_checkpoint(self) -> Path | None:
        """The newest whole checkpoint of this very training, or None."""
        return ranks.shared(lambda: checkpoints.latest(self.folder, self._key))

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        """The gradient norm; stops before the optimiser step when it or the loss is not finite."""
        norm = super()._get_grad_norm(model, grad_norm)
        finite = torch.isfinite(self._tr_loss)
        if not self.args.fp16:  # with fp16 the gradient scaler skips overflowing steps by itself
            finite = finite & torch.isfinite(torch.as_tensor(norm, device=finite.device))
        if not bool(finite):
            raise NotFinite(self._why_not_finite(model))
        return norm

    def _why_not_finite(self, model: Any) -> str:
        step = self.state.global_step + 1
        base_is_finite = step > 1 or all(bool(torch.isfinite(p).all()) for p in model.parameters())
        return why_not_finite(step, self.args.learning_rate, base_is_finite)

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._staging) if self._staging is not None else super()._get_output_dir(trial)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write the checkpoint beside its place, mark it, move it in one step, then remove old ones."""
        place = self.folder / f"{checkpoints.PREFIX}{self.state.global_step}"
        with ranks.writing(checkpoints.new_folder(place, nested=True)) as staging:
            self._staging = staging
            try:
                super()._save_checkpoint(model, trial)
            finally:
                self._staging = None
            ranks.together()
            if ranks.first():
                checkpoints.mark(staging / place.name, self.state.global_step, self._key)
        if ranks.first():
            checkpoints.prune(self.folder, self._key, int(self.args.save_total_limit or 1))

    def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
        """No model card: checkpoints are for resuming only."""

    def _send_telemetry(self) -> None:
        """Training does not call home."""
