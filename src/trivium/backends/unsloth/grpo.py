"""Group relative policy optimisation with Unsloth's models."""

from functools import partial

from trivium.backends.unsloth import away

train = partial(away.train, "trivium.backends.unsloth.inside.grpo")
"""As `backends.torch.grpo.train`, which runs in the other process; a `watch` is refused with `ConfigError`."""
