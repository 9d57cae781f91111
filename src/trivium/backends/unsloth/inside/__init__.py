"""What runs in Unsloth's own process, where it is imported before all that it changes: whatever is here imports it first."""

import unsloth  # type: ignore[import-not-found]  # noqa: F401

from trivium.backends.unsloth.inside.own import own_arguments

own_arguments()
