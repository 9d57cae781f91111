"""Supervised fine-tuning, in Unsloth's process."""

from functools import partial

from trivium.backends.torch import sft
from trivium.backends.unsloth.inside.start import load

train = partial(sft.train, load=load)
"""`backends.torch.sft.train` on Unsloth's model."""
