"""The tiers of `conf/hardware`: which of them suits a machine, and what of a configuration a machine cannot hold."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from trivium.compose import conf_dir
from trivium.errors import ConfigError
from trivium.hardware import Machine, by_pytorch, detect
from trivium.schema import Config, HardwareConfig, QloraAdapter

AUTO = "auto"
WORDS = {"nvidia": "an NVIDIA card", "amd": "an AMD card", "apple": "Apple Silicon", None: "no accelerator"}
_ROUND = 1.1
"""Memory is sold in GiB and told in GB, which is 7 % more; what differs by less than this is the tier's own size."""


@dataclass(frozen=True)
class Choice:
    """A tier for a machine, and settings of the tier (key: before, now) that are taken from the machine instead."""

    tier: str
    machine: Machine
    changed: Mapping[str, tuple[float, float]]

    def __str__(self) -> str:
        """What was chosen, for whom."""
        memory = self.changed.get("memory_gb")
        own = f" with hardware.memory_gb={memory[1]:g}" if memory else ""
        several = f"; hardware.num_processes={self.machine.devices} trains on all of them" if self.machine.devices > 1 else ""
        return f"{self.tier}{own} for {self.machine}{several}"

    def apply(self, hardware: dict[str, Any]) -> None:
        """Put what is taken from the machine into composed settings of the tier, unless somebody set it otherwise."""
        for key, (before, now) in self.changed.items():
            if hardware.get(key) == before:
                hardware[key] = now


@cache
def tiers() -> dict[str, dict[str, Any]]:
    """What each shipped option of `hardware` that is made for an accelerator's memory says of itself."""
    import yaml

    read = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (conf_dir() / "hardware").glob("*.yaml")}
    return {name: tier for name, tier in read.items() if tier.get("vendor") and tier.get("memory_gb")}


def choose(machine: Machine) -> Choice:
    """The largest tier that a machine holds, or the smallest of its maker's."""
    of_vendor = {name: tier["memory_gb"] for name, tier in tiers().items() if tier["vendor"] == machine.vendor}
    if not of_vendor:
        return Choice("cpu", machine, {})
    fitting = [name for name, memory in of_vendor.items() if memory <= machine.usable_gb]
    name = max(fitting, key=lambda tier: of_vendor[tier]) if fitting else min(of_vendor, key=lambda tier: of_vendor[tier])
    return Choice(name, machine, _changed(tiers()[name], machine))


def _changed(tier: Mapping[str, Any], machine: Machine) -> dict[str, tuple[float, float]]:
    """The tier's memory, where the machine's is another."""
    if tier["memory_gb"] <= machine.usable_gb < _ROUND * tier["memory_gb"]:
        return {}
    now = math.floor(machine.usable_gb * 10) / 10
    return {key: (tier[key], now) for key in ("memory_gb", "memory_limit_gb") if tier.get(key) is not None}


def named(override: str, hardware: HardwareConfig) -> str:
    """An override of a run's name, `hardware=auto` by what it stands for."""
    return f"hardware={hardware.name}" if override == f"hardware={AUTO}" else override


def problems_in(config: Config) -> Iterator[str]:
    """A sentence for each setting of the hardware that cannot be meant, on whatever machine."""
    hardware, adapter = config.hardware, config.adapter
    if hardware.name == "auto":
        yield "hardware.name=auto is a choice and no name; set hardware=auto."
    if isinstance(adapter, QloraAdapter) and adapter.bits not in hardware.quantisation:
        why = " (bitsandbytes on ROCm is experimental and was seen to hang the card)" if hardware.vendor == "amd" else ""
        ways = ["adapter=lora", *(f"adapter.bits={bits}" for bits in hardware.quantisation)]
        yield (
            f"adapter=qlora with adapter.bits={adapter.bits}: hardware.quantisation={hardware.quantisation} of "
            f"hardware={hardware.name} leaves it out{why}; set {' or '.join(ways)}, or hardware.quantisation=[{adapter.bits}] "
            "to try it all the same."
        )


def require(config: Config) -> None:
    """Raise `ConfigError` with everything that keeps this machine from training or evaluating as configured."""
    if problems := list(problems_on(machine_for(config), config)):
        raise ConfigError(problems)
    if config.hardware.device != "cpu":
        from trivium.models.load import require_device

        require_device(config.hardware)


def machine_for(config: Config) -> Machine:
    """This machine; PyTorch is asked where it has to have a card and the system tells of none."""
    machine = detect()
    return (by_pytorch() or machine) if config.hardware.device == "cuda" != machine.device else machine


def problems_on(machine: Machine, config: Config) -> Iterator[str]:
    """A sentence for each thing that a machine lacks."""
    from trivium.models import quantised

    hardware = config.hardware
    if hardware.vendor is not None and hardware.vendor != machine.vendor:
        yield (
            f"hardware.vendor={hardware.vendor} (hardware={hardware.name}), and this machine has {WORDS[machine.vendor]}; set "
            f"hardware={choose(machine).tier}, or hardware=auto. To plan for another machine: task=plan."
        )
    elif hardware.memory_gb is not None and hardware.memory_gb > machine.usable_gb:
        yield _too_big(machine, config)
    if hardware.device == "cuda" == machine.device and hardware.num_processes > machine.devices:
        yield (
            f"hardware.num_processes={hardware.num_processes}, one for each device, and this machine has {machine.devices}; "
            f"set hardware.num_processes={machine.devices}."
        )
    if isinstance(config.adapter, QloraAdapter) and config.backend.name == "torch" and not quantised.installed():
        yield f"adapter=qlora needs bitsandbytes, which is not there; {quantised.WAY_OUT}, or set adapter=lora."


def _too_big(machine: Machine, config: Config) -> str:
    share = f", of which a training may take {machine.usable_gb:.1f}" if machine.vendor == "apple" else ""
    wanted = f"hardware.memory_gb={config.hardware.memory_gb:g} (hardware={config.hardware.name})"
    there = f"{machine.name} has {machine.memory_bytes / 1e9:.1f} GB{share}"
    tier = choose(machine).tier
    way = f"hardware={tier}, which fits, or hardware=auto" if tier != config.hardware.name else "hardware.memory_gb=null"
    return f"{wanted} is more than this machine's: {there}; set {way}."
