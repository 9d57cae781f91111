"""What PyTorch cannot train here, found before anything is loaded."""

from collections.abc import Iterator

from trivium.models.quantised import GROUP_SIZE
from trivium.schema import Config, QloraAdapter


def problems_in(config: Config) -> Iterator[str]:
    """A sentence for each."""
    adapter, hardware = config.adapter, config.hardware
    if isinstance(adapter, QloraAdapter) and adapter.group_size != GROUP_SIZE:
        yield (
            f"adapter.group_size={adapter.group_size} is not there with backend=torch: bitsandbytes takes {GROUP_SIZE}; leave "
            "it out, or set backend=mlx."
        )
    if hardware.memory_limit_gb is not None and hardware.device == "cpu":
        yield (
            "hardware.memory_limit_gb is heeded by backend=torch on cuda and mps only; leave it at null, or set backend=mlx, "
            "which heeds it on the CPU as well."
        )
