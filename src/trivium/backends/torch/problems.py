"""What PyTorch cannot train here, found before anything is loaded."""

from collections.abc import Iterator

from trivium.schema import Config, QloraAdapter


def problems_in(config: Config) -> Iterator[str]:
    """A sentence for each."""
    if isinstance(config.adapter, QloraAdapter):
        yield "adapter=qlora needs backend=mlx; set it, or choose adapter=lora."
    if config.hardware.memory_limit_gb is not None or config.hardware.throttle:
        yield (
            "hardware.memory_limit_gb and hardware.throttle are heeded by backend=mlx only; leave them at null and 0, or set "
            "backend=mlx."
        )
