"""What MLX cannot train, found before anything is loaded."""

from collections.abc import Iterator

from trivium.models import mlx
from trivium.schema import Config, SftMethod

OPTIMISERS = ("adamw_torch", "adamw_torch_fused")
"""Names of PyTorch's AdamW, whose formula is MLX's own."""


def problems_in(config: Config) -> Iterator[str]:
    """A sentence for each."""
    method, hardware = config.method, config.hardware
    if config.task == "run" and not mlx.installed():  # planning is for other machines, too
        yield f"backend=mlx: MLX is not installed; {mlx.WAY_OUT}, or set backend=torch."
    if isinstance(method, SftMethod) and method.packing:
        yield "method.packing=true is not there with backend=mlx; set method.packing=false, or backend=torch."
    if method.optim not in OPTIMISERS:
        yield f"method.optim={method.optim} is not there with backend=mlx; set method.optim={OPTIMISERS[0]}, or backend=torch."
    if hardware.dtype == "float16":
        yield "hardware.dtype=float16 does not train with backend=mlx; set hardware.dtype=bfloat16 or float32."
