"""MLX's random state, which is one key."""

import mlx.core as mx


def state() -> list[int]:
    """The key: two numbers of 32 bits."""
    key: list[int] = mx.random.state[0].tolist()
    return key


def restore(key: list[int]) -> None:
    """Go on drawing from a key; a seed of 64 bits is one."""
    high, low = key
    mx.random.seed(high << 32 | low)
