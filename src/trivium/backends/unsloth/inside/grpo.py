"""Group relative policy optimisation, in Unsloth's process."""

from functools import partial

from trivium.backends.torch import grpo
from trivium.backends.unsloth.inside.start import load

train = partial(grpo.train, load=load)
"""`backends.torch.grpo.train` on Unsloth's model."""
