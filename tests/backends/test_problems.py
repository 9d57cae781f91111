"""What a backend cannot train is told before anything is loaded."""

import sys
from collections.abc import Callable

import pytest

from trivium.errors import ConfigError
from trivium.models import mlx
from trivium.schema import Config, QloraAdapter

ConfigOf = Callable[..., Config]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["backend=mlx", "method.packing=true"], "method.packing=true is not there with backend=mlx"),
        (["backend=mlx", "method.optim=adafactor"], "method.optim=adafactor is not there with backend=mlx"),
        (["backend=mlx", "hardware.dtype=float16", "hardware.device=mps"], "hardware.dtype=float16 does not train"),
        (["backend=mlx", "experiment=coherence"], "backend=mlx has no method grpo; backends that have it: torch"),
        (
            ["adapter=qlora", "adapter.group_size=32"],
            "adapter.group_size=32 is not there with backend=torch: bitsandbytes takes",
        ),
        (["hardware.memory_limit_gb=8"], "hardware.memory_limit_gb is heeded by backend=torch on cuda and mps only"),
        (["adapter=qlora", "hardware=rocm"], "set adapter=lora, or hardware.quantisation=[4] to try it all the same"),
        (["adapter=qlora", "hardware=rocm"], "(bitsandbytes on ROCm is experimental and was seen to hang the card)"),
        (["adapter=qlora", "hardware.quantisation=[8]"], "set adapter=lora or adapter.bits=8, or hardware.quantisation=[4]"),
        (["hardware.name=auto"], "set hardware=auto"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(config_of: ConfigOf, overrides: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(*overrides)
    assert [problem for problem in caught.value.problems if said in problem]


def test_without_mlx_the_way_out_is_told(config_of: ConfigOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlx, "installed", lambda: False)
    with pytest.raises(ConfigError, match=r"MLX is not installed; pip install 'trivium\[mlx\]', or set backend=torch"):
        config_of("backend=mlx")


def test_a_quantised_base_takes_the_settings_of_its_plain_adapter(config_of: ConfigOf) -> None:
    pytest.importorskip("mlx.core", reason="MLX is not installed")
    plain, quantised = config_of("adapter=lora"), config_of("backend=mlx", "adapter=qlora", "adapter.bits=8")
    assert isinstance(quantised.adapter, QloraAdapter) and quantised.adapter.bits == 8
    assert (quantised.adapter.r, quantised.method.learning_rate) == (plain.adapter.r, plain.method.learning_rate)
    assert "mlx.core" in sys.modules
