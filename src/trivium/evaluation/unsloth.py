"""Evaluation of what Unsloth trained: its weights are PyTorch's, and so is all that is asked of them."""

from trivium.evaluation.torch import respondent

__all__ = ["respondent"]
