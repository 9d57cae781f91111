"""Supervised fine-tuning with Unsloth's models: cross-entropy, plain or weighted by provenance."""

from functools import partial

from trivium.backends.unsloth import away

train = partial(away.train, "trivium.backends.unsloth.inside.sft")
"""As `backends.torch.sft.train`, which runs in the other process; a `watch` is refused with `ConfigError`."""
