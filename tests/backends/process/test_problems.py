from collections.abc import Callable

import pytest

from trivium.backends.process.problems import problems_in
from trivium.errors import ConfigError
from trivium.schema import Config

ConfigOf = Callable[..., Config]
TWO = "hardware.num_processes=2"
GRPO = ("experiment=coherence", "dataset=micro_qa", TWO)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            [TWO, "method.total_batch_size=9"],
            "multiple of 8: 4 for each of 2 processes .* example method.total_batch_size=16",
        ),
        ([TWO, "backend=mlx"], "backend=mlx trains with one process"),
        ([TWO, "hardware.device=mps"], "hardware.device=mps is one device"),
        (
            [TWO, "sweep=rank", "sweep.pruner=median"],
            "sweep.pruner=median looks at the model while it trains, which 2 processes do elsewhere",
        ),
        (["hardware.num_machines=2", "sweep=rank", "sweep.pruner=none"], "sweep=rank makes many runs"),
        (["hardware.num_machines=2", "hardware.machine_rank=2"], "the last is 1"),
        (["hardware.main_address=somewhere"], "give machine 0's host and a free port"),
        (["hardware.main_address=host:99999"], "give machine 0's host and a free port"),
        (["hardware.parallel=fsdp2"], "shares the weights out among processes"),
        ([TWO, "hardware.parallel=fsdp2", "adapter=qlora"], "cannot share out quantised weights"),
        ([*GRPO, "hardware.parallel=fsdp2"], "trains method=sft only"),
        ([*GRPO, "method.total_batch_size=8", "method.num_generations=8"], "whole groups .*; make it a multiple of 16"),
        ([*GRPO, "method.warm_start.total_batch_size=9"], "method.warm_start: .*is not a multiple"),
    ],
)
def test_what_several_processes_cannot_train_is_told(config_of: ConfigOf, overrides: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        config_of(*overrides)


def test_several_processes_can_train_what_one_can(config_of: ConfigOf) -> None:
    for overrides in ([TWO], GRPO, [TWO, "hardware.parallel=fsdp2"], ["hardware.num_machines=3", "method.total_batch_size=66"]):
        assert config_of(*overrides)


@pytest.mark.parametrize(
    ("environment", "program"),
    [
        ({"WORLD_SIZE": "2", "RANK": "0"}, "torchrun"),
        ({"WORLD_SIZE": "1", "TORCHELASTIC_RUN_ID": "none"}, "torchrun"),
        ({"ACCELERATE_MIXED_PRECISION": "no", "ACCELERATE_DYNAMO_BACKEND": "NO"}, "accelerate launch"),
    ],
)
def test_a_run_for_every_process_is_refused(config_of: ConfigOf, environment: dict[str, str], program: str) -> None:
    config = config_of()
    (sentence,) = problems_in(config, environment)
    assert f"was started by {program}; " in sentence
    assert "hardware.num_processes" in sentence
    assert not list(problems_in(config, {"RANK": "0", "ACCELERATE_MIXED_PRECISION": "bf16"}))
