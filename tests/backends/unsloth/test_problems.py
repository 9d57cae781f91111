"""What Unsloth cannot train is told before anything is loaded, with the way out."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from trivium.backends.unsloth import away, environment
from trivium.errors import ConfigError
from trivium.schema import Config

ConfigOf = Callable[..., Config]


@pytest.fixture
def interpreter(tmp_path: Path) -> Path:
    """A program that says it has Unsloth."""
    path = tmp_path / "python"
    path.write_text("#!/bin/sh\necho 2026.10.9\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hardware=rocm"], "hardware=rocm (vendor amd, device cuda) is not there with backend=unsloth"),
        (["hardware=mac_32gb"], "on a Mac backend=mlx."),
        (["hardware.num_processes=2", "method.total_batch_size=128"], "hardware.num_processes=2 and num_machines=1: backend"),
        (["adapter=full"], "adapter=full is not there with backend=unsloth; set adapter=lora or qlora"),
        (["adapter=qlora", "adapter.bits=8"], "adapter.bits=8 is not there with backend=unsloth; set 4, or backend=torch."),
        (["adapter=qlora", "adapter.quant_type=fp4"], "adapter.quant_type=fp4 is not there with backend=unsloth; set nf4"),
        (["method.packing=true"], "method.packing=true is not there with backend=unsloth; set method.packing=false"),
        (["sweep.pruner=median"], f"sweep.pruner=median: {away.NOT_WATCHED}"),
    ],
)
def test_what_it_lacks_is_one_sentence(config_of: ConfigOf, interpreter: Path, words: list[str], said: str) -> None:
    config_of("backend=unsloth", f"backend.python={interpreter}")
    with pytest.raises(ConfigError) as caught:
        config_of("backend=unsloth", f"backend.python={interpreter}", *words)
    assert [problem for problem in caught.value.problems if said in problem]


def test_four_bits_and_both_methods_are_there(config_of: ConfigOf, interpreter: Path) -> None:
    for words in (["adapter=qlora", "hardware=cuda_24gb"], ["experiment=coherence"]):
        assert config_of("backend=unsloth", f"backend.python={interpreter}", *words).backend.name == "unsloth"


def test_without_the_environment_the_way_out_is_told(config_of: ConfigOf, tmp_path: Path) -> None:
    missing = tmp_path / "none" / "bin" / "python"
    with pytest.raises(ConfigError) as caught:
        config_of("backend=unsloth", f"backend.python={missing}")
    assert caught.value.problems == [f"backend.python: there is no interpreter at {missing}; {environment.WAY_OUT}."]
    with pytest.raises(ConfigError, match=f"backend.python: {sys.executable} has no Unsloth; make it with `make unsloth`"):
        config_of("backend=unsloth", f"backend.python={sys.executable}")


def test_no_environment_is_needed_where_nothing_is_trained(config_of: ConfigOf) -> None:
    """A plan is made on one machine for another."""
    for words in (["task=plan"], ["stages=[prepare]"]):
        assert config_of("backend=unsloth", "backend.python=nowhere", *words).backend.python == "nowhere"
