"""What several processes cannot train, found before anything is loaded."""

import os
from collections.abc import Iterator, Mapping

from trivium.backends.shape import batch_shape, world_size
from trivium.errors import ConfigError
from trivium.schema import Config, GrpoMethod, QloraAdapter, SftMethod


def problems_in(config: Config, environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """A sentence for each."""
    yield from _of_launchers(environment)
    yield from _of_machines(config)
    if world_size(config.hardware) > 1:
        yield from _of_several(config)
    if config.hardware.parallel == "fsdp2":
        yield from _of_sharding(config)


def _of_launchers(environment: Mapping[str, str]) -> Iterator[str]:
    """Every process that such a program starts would be a run of its own, and all of them write into one folder."""
    if environment.get("WORLD_SIZE", "1") != "1" or "TORCHELASTIC_RUN_ID" in environment:
        yield _STARTED.format("torchrun")
    elif {"ACCELERATE_MIXED_PRECISION", "ACCELERATE_DYNAMO_BACKEND"} <= environment.keys():
        yield _STARTED.format("accelerate launch")


_STARTED = (
    "trivium was started by {}; start trivium itself, once on every machine, and set hardware.num_processes=<devices of a "
    "machine>: it starts the processes by itself."
)


def _of_machines(config: Config) -> Iterator[str]:
    hardware = config.hardware
    host, _, port = hardware.main_address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        address = hardware.main_address
        yield f"hardware.main_address={address!r}: give machine 0's host and a free port of it, for example 10.0.0.1:29500."
    if hardware.machine_rank >= hardware.num_machines:
        yield (
            f"hardware.machine_rank={hardware.machine_rank}: of hardware.num_machines={hardware.num_machines} the last is "
            f"{hardware.num_machines - 1}; change one of them."
        )


def _of_several(config: Config) -> Iterator[str]:
    method, processes = config.method, world_size(config.hardware)
    if config.backend.name == "mlx":
        yield "backend=mlx trains with one process; set backend=torch, or hardware.num_processes=1 and num_machines=1."
    if config.hardware.num_machines > 1 and config.sweep.name != "none":
        yield f"sweep={config.sweep.name} makes many runs, and several machines meet for one; set hardware.num_machines=1."
    if config.hardware.device == "mps":
        yield "hardware.device=mps is one device; set hardware.num_processes=1 and hardware.num_machines=1."
    if config.sweep.watched:
        yield (
            f"sweep.pruner={config.sweep.pruner} looks at the model while it trains, which {processes} processes do elsewhere; "
            "set sweep.pruner=none."
        )
    if isinstance(method, GrpoMethod):
        yield from _of_groups(config, method)


def _of_groups(config: Config, method: GrpoMethod) -> Iterator[str]:
    processes, group = world_size(config.hardware), method.num_generations
    if method.total_batch_size % group == 0 and method.total_batch_size % (processes * group):
        yield (
            f"method.total_batch_size={method.total_batch_size} (completions) does not give each of {processes} processes "
            f"whole groups of method.num_generations={group}; make it a multiple of {processes * group}."
        )
    if method.warm_start.max_steps:
        warm = SftMethod(total_batch_size=method.warm_start.total_batch_size)
        try:
            batch_shape(warm, config.hardware)
        except ConfigError as error:
            yield f"method.warm_start: {error}"


def _of_sharding(config: Config) -> Iterator[str]:
    hardware = config.hardware
    if world_size(hardware) == 1:
        yield "hardware.parallel=fsdp2 shares the weights out among processes; set hardware.num_processes, or parallel=ddp."
    if isinstance(config.adapter, QloraAdapter):
        yield "hardware.parallel=fsdp2 cannot share out quantised weights; set hardware.parallel=ddp, or adapter=lora."
    if hardware.dtype == "float16":
        yield "hardware.parallel=fsdp2 does not train hardware.dtype=float16; set hardware.dtype=bfloat16."
    if isinstance(config.method, GrpoMethod):
        yield "hardware.parallel=fsdp2 trains method=sft only; set hardware.parallel=ddp."
