"""What a training reports: lines of metrics, its progress, and the sentences with which it ends before its time."""

from collections.abc import Callable, Mapping

from trivium.backends.interrupt import Stop
from trivium.errors import Interrupted

Log = Callable[[dict[str, float], int], None]
Progress = Callable[[int, int, dict[str, float]], None]
"""Takes the steps done, the steps in all, and the newest metrics."""

SHOWN = ("loss", "nll", "grad_norm", "learning_rate", "entropy", "mean_token_accuracy", "tokens_per_second")
"""Metrics of a training line, by TRL's names where it has one; `nll` is the unweighted mean, nats per supervised token."""
HELD_OUT = ("eval_nll", "eval_loss", "eval_entropy", "eval_mean_token_accuracy")
PARTS = "loss/"
"""Begins the names of the terms of a loss that has several, nats per supervised token each."""

CHECKPOINTS, BEST = "checkpoints", "best"
"""The folder of the checkpoints below a run, and that of the best weights in it."""


def shown(name: str) -> bool:
    """Whether a metric of a trainer's lines is passed on."""
    return name in SHOWN + HELD_OUT or name.startswith(PARTS)


def parts(sums: Mapping[str, float]) -> dict[str, float]:
    """The terms of a loss by the names that lines have them under; nothing for a loss of one term, which is the loss."""
    return {f"{PARTS}{name}": value for name, value in sums.items()} if len(sums) > 1 else {}


def require_finished(stop: Stop, step: int, steps: int) -> None:
    """Raise `Interrupted` when a signal ended the training."""
    if stop:
        raise Interrupted(
            f"{stop.signal} at step {step} of {steps}: the checkpoint is saved; run the "
            "same command again with the same hydra.run.dir to go on from it."
        )


def why_not_finite(step: int, learning_rate: float, base_is_finite: bool) -> str:
    """Of a loss or gradient that is not finite at `step`, counted from 1."""
    if not base_is_finite:
        return "the base model's weights hold values that are not finite, before any training; get its files again."
    return (
        f"the loss or its gradient is not finite at step {step}; lower method.learning_rate "
        f"(now {learning_rate:g}) or method.max_grad_norm, or try hardware.dtype=float32. Nothing was written "
        "for this step; checkpoints before it (method.save_steps) are kept."
    )
