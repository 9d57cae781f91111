"""What machine this is, found out without PyTorch: its accelerator and memory, as the system and its drivers tell."""

import csv
import math
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

GB = 10**9
UNIFIED_SHARE = 0.8
"""Share of a Mac's memory, which processor and accelerator have in common, that a training may take; as its tiers have it."""
LEAST = 4 * GB
"""Accelerators with less memory (bytes) are passed over: they are parts of processors that draw a screen."""
_PATIENCE = 15
"""Seconds that a driver's tool may take."""


@dataclass(frozen=True)
class Machine:
    """An accelerator and what is around it. `memory_bytes` is that of one device: the smallest of several, or main memory where
    there is no accelerator. Containers' limits are heeded.
    """

    vendor: str | None
    device: str
    memory_bytes: int
    ram_bytes: int
    cores: int
    name: str
    devices: int = 1
    driver: str | None = None

    @property
    def usable_gb(self) -> float:
        """What a training may take of one device, in GB (10⁹ bytes)."""
        return self.memory_bytes * (UNIFIED_SHARE if self.vendor == "apple" else 1.0) / GB

    def __str__(self) -> str:
        """The machine in a few words."""
        several = f"{self.devices} × " if self.devices > 1 else ""
        return f"{several}{self.name} ({self.memory_bytes / GB:.1f} GB)"


@cache
def detect() -> Machine:
    """This machine, looked at once for a process."""
    return look(os.environ, Path("/"), platform.system(), platform.machine())


def look(environment: Mapping[str, str], root: Path, system: str, architecture: str) -> Machine:
    """The machine whose drivers' tools are on the environment's PATH and whose `/sys` and `/proc` lie below `root`."""
    ram, cores = _ram(root), _cores(root)
    cards = _nvidia(environment, ram) or _amd(environment, root) or _apple(environment, system, architecture)
    if not cards:
        return Machine(None, "cpu", ram, ram, cores, f"{cores} core{'s' * (cores != 1)}, no accelerator")
    smallest = min(cards, key=lambda card: card.memory)
    return Machine(
        smallest.vendor,
        "mps" if smallest.vendor == "apple" else "cuda",
        smallest.memory,
        ram,
        cores,
        smallest.name,
        len(cards),
        smallest.driver,
    )


def by_pytorch() -> Machine | None:
    """The CUDA or ROCm machine that PyTorch sees, where a container hides the driver's tools; None where it sees none."""
    import torch

    if not torch.cuda.is_available():
        return None
    cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    smallest = min(cards, key=lambda card: card.total_memory)
    vendor, root = "amd" if torch.version.hip else "nvidia", Path("/")
    return Machine(vendor, "cuda", smallest.total_memory, _ram(root), _cores(root), smallest.name, len(cards))


@dataclass(frozen=True)
class _Card:
    vendor: str
    name: str
    memory: int
    driver: str | None = None


def _said(command: list[str], environment: Mapping[str, str]) -> str:
    """What a tool prints; nothing where it is missing, fails or hangs."""
    tool = shutil.which(command[0], path=environment.get("PATH", ""))
    if tool is None:
        return ""
    try:
        done = subprocess.run([tool, *command[1:]], capture_output=True, text=True, timeout=_PATIENCE, env=dict(environment))
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return done.stdout if done.returncode == 0 else ""


_NVIDIA_SMI = ["nvidia-smi", "--query-gpu=index,uuid,name,memory.total,driver_version", "--format=csv,noheader,nounits"]


def _nvidia(environment: Mapping[str, str], ram: int) -> list[_Card]:
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    rows = [[cell.strip() for cell in row] for row in csv.reader(_said(_NVIDIA_SMI, environment).splitlines())]
    cards = []
    for index, uuid, name, mebibytes, driver in (row for row in rows if len(row) == 5):
        if _shown(visible, index, uuid):
            memory = int(mebibytes) << 20 if mebibytes.isdigit() else ram  # where processor and accelerator share it
            cards.append(_Card("nvidia", name, memory, driver))
    return [card for card in cards if card.memory >= LEAST]


def _shown(visible: str | None, index: str, uuid: str) -> bool:
    """Whether CUDA_VISIBLE_DEVICES lets a card through."""
    wanted = [word.strip() for word in visible.split(",")] if visible is not None else None
    return wanted is None or any(word and (word == index or uuid.startswith(word)) for word in wanted)


def _amd(environment: Mapping[str, str], root: Path) -> list[_Card]:
    """Cards that the kernel driver of ROCm (`/sys/class/kfd`) is there for."""
    hidden = any(environment.get(f"{name}_VISIBLE_DEVICES") in ("", "-1") for name in ("HIP", "ROCR", "CUDA"))
    if hidden or not (root / "sys/class/kfd").is_dir():
        return []
    cards = []
    for place in sorted((root / "sys/class/drm").glob("card*/device")):
        memory = _text(place / "mem_info_vram_total")
        if _text(place / "vendor") == "0x1002" and memory.isdigit() and int(memory) >= LEAST:
            driver = _text(root / "sys/module/amdgpu/version") or None
            cards.append(_Card("amd", _text(place / "product_name") or "AMD card", int(memory), driver))
    return cards


def _apple(environment: Mapping[str, str], system: str, architecture: str) -> list[_Card]:
    if (system, architecture) != ("Darwin", "arm64"):
        return []
    memory = _said(["sysctl", "-n", "hw.memsize"], environment).strip()
    name = _said(["sysctl", "-n", "machdep.cpu.brand_string"], environment).strip()
    return [_Card("apple", name or "Apple Silicon", int(memory))] if memory.isdigit() else []


def _ram(root: Path) -> int:
    """Main memory in bytes, or what of it a container may take."""
    limits = [int(text) for text in _of_container(root, "memory", ("memory.max", "memory.limit_in_bytes")) if text.isdigit()]
    return min([os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), *limits])


def _cores(root: Path) -> int:
    """Processors that this process may use, or what of them a container may take."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    shares = [text.split() for text in _of_container(root, "cpu", ("cpu.max",))]
    limits = [math.ceil(int(share[0]) / int(share[1])) for share in shares if len(share) == 2 and share[0].isdigit()]
    return max(1, min([there, *limits]))


def _of_container(root: Path, kind: str, names: tuple[str, ...]) -> Iterator[str]:
    """What the control groups that this process is in, and those around them, say under these names."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, kinds, path = line.split(":", 2)
        if kinds and kind not in kinds.split(","):
            continue
        above = root / "sys/fs/cgroup" / (kind if kinds else "")
        own = above / path.lstrip("/")
        for place in (own, *(p for p in own.parents if p.is_relative_to(above))):
            yield from (text for name in names if (text := _text(place / name)))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
