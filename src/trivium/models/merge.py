"""Merged weights: a base model with what a run trained, as an ordinary Hugging Face directory."""

from pathlib import Path

from trivium.models.load import load_tokenizer, load_tuned
from trivium.models.quiet import quiet
from trivium.schema import HardwareConfig, ModelConfig


def merge(model: ModelConfig, hardware: HardwareConfig, base: str, run_dir: Path, out: Path) -> None:
    """Write the weights that `run_dir` trained on `base`, its adapter folded in, with the tokenizer, into `out`.

    The weights keep `hardware.dtype`. Raises `ModelError` when the run holds no finished training.
    """
    tuned = load_tuned(model, hardware, base, run_dir)
    if hasattr(tuned, "peft_config"):
        tuned = tuned.merge_and_unload(safe_merge=True)
    with quiet():
        tuned.save_pretrained(out)
        load_tokenizer(model, base).save_pretrained(out)
