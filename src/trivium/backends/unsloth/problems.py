"""What Unsloth cannot train here, found before anything is loaded."""

from collections.abc import Iterator

from trivium.backends.unsloth import away, environment
from trivium.errors import ConfigError
from trivium.schema import Config, FullAdapter, QloraAdapter, SftMethod

QUANTISED = {"bits": 4, "group_size": 64, "quant_type": "nf4", "double_quant": True}
"""The one way in which it quantises a base."""


def problems_in(config: Config) -> Iterator[str]:
    """A sentence for each."""
    yield from _of_the_machine(config)
    yield from _of_the_training(config)
    if config.sweep.watched:
        yield f"sweep.pruner={config.sweep.pruner}: {away.NOT_WATCHED}"
    if config.task == "run" and "train" in config.stages:
        yield from _of_the_environment(config)


def _of_the_machine(config: Config) -> Iterator[str]:
    hardware = config.hardware
    if hardware.device == "mps" or hardware.vendor not in (None, "nvidia"):
        yield (
            f"hardware={hardware.name} (vendor {hardware.vendor}, device {hardware.device}) is not there with backend=unsloth, "
            "which trains on NVIDIA cards, and for trying on the CPU; set backend=torch, or on a Mac backend=mlx."
        )
    if hardware.num_processes * hardware.num_machines > 1:
        yield (
            f"hardware.num_processes={hardware.num_processes} and num_machines={hardware.num_machines}: backend=unsloth trains "
            "in one process; set both to 1, or backend=torch."
        )


def _of_the_training(config: Config) -> Iterator[str]:
    method, adapter = config.method, config.adapter
    if isinstance(adapter, FullAdapter):
        yield "adapter=full is not there with backend=unsloth; set adapter=lora or qlora, or backend=torch."
    if isinstance(adapter, QloraAdapter):
        for name, only in QUANTISED.items():
            if (value := getattr(adapter, name)) != only:
                yield f"adapter.{name}={value} is not there with backend=unsloth; set {only}, or backend=torch."
    if isinstance(method, SftMethod) and method.packing:
        yield "method.packing=true is not there with backend=unsloth; set method.packing=false, or backend=torch."


def _of_the_environment(config: Config) -> Iterator[str]:
    try:
        environment.interpreter(config)
    except ConfigError as error:
        yield from error.problems
