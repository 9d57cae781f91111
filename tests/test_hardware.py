"""Detection asks the system's real tools and files; here they are scripts on a PATH and folders of another root."""

import os
from pathlib import Path

import pytest

from trivium.hardware import GB, Machine, detect, look

SMI = "0, GPU-aa11, NVIDIA GeForce RTX 4090, 24564, 580.65"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def tool(folder: Path, name: str, script: str) -> dict[str, str]:
    """An environment whose PATH has one tool of its own."""
    place = folder / "bin"
    place.mkdir(exist_ok=True)
    (place / name).write_text(f"#!/bin/sh\n{script}\n")
    (place / name).chmod(0o755)
    return {"PATH": f"{place}{os.pathsep}/bin:/usr/bin"}


def put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n")


def on_linux(environment: dict[str, str], root: Path) -> Machine:
    return look(environment, root, "Linux", "x86_64")


def test_this_machine_is_looked_at_once() -> None:
    machine = detect()
    assert machine is detect()
    assert machine.ram_bytes > GB / 2 and machine.cores >= 1 and machine.device in ("cpu", "cuda", "mps")


def test_without_tools_it_is_a_processor(root: Path) -> None:
    machine = on_linux({"PATH": str(root)}, root)
    assert (machine.vendor, machine.device) == (None, "cpu")
    assert machine.memory_bytes == machine.ram_bytes


def test_an_nvidia_card_is_what_its_driver_says(tmp_path: Path, root: Path) -> None:
    machine = on_linux(tool(tmp_path, "nvidia-smi", f"echo '{SMI}'"), root)
    assert (machine.vendor, machine.device, machine.name) == ("nvidia", "cuda", "NVIDIA GeForce RTX 4090")
    assert machine.memory_bytes == 24564 * 2**20 and machine.driver == "580.65" and machine.devices == 1
    assert str(machine) == "NVIDIA GeForce RTX 4090 (25.8 GB)"


@pytest.mark.parametrize(
    "script",
    [
        "echo 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'; exit 9",
        "echo 'No devices were found'",
        "printf '\\377\\376'",
        "echo '0, GPU-1, NVIDIA GeForce GT 710, 2048, 470.1'",
    ],
)
def test_a_driver_that_fails_is_no_card(tmp_path: Path, root: Path, script: str) -> None:
    assert on_linux(tool(tmp_path, "nvidia-smi", script), root).vendor is None


def test_of_several_cards_the_smallest_is_reckoned_with_and_hidden_ones_are_not(tmp_path: Path, root: Path) -> None:
    cards = (
        "echo '0, GPU-aa, NVIDIA A40, 46068, 1'; echo '1, GPU-bb, NVIDIA A10, 23028, 1'; echo '2, GPU-cc, NVIDIA A40, 46068, 1'"
    )
    environment = tool(tmp_path, "nvidia-smi", cards)
    machine = on_linux(environment, root)
    assert (machine.devices, machine.name) == (3, "NVIDIA A10")
    for visible, devices, name in (("0,2", 2, "NVIDIA A40"), ("GPU-bb", 1, "NVIDIA A10"), ("", 1, None), ("-1", 1, None)):
        machine = on_linux({**environment, "CUDA_VISIBLE_DEVICES": visible}, root)
        assert machine.devices == devices and (machine.name == name or machine.vendor is None is name), visible


def test_memory_that_a_card_shares_with_the_processor_is_main_memory(tmp_path: Path, root: Path) -> None:
    machine = on_linux(tool(tmp_path, "nvidia-smi", "echo '0, GPU-aa, NVIDIA GB10, [N/A], 580'"), root)
    assert machine.vendor == "nvidia" and machine.memory_bytes == machine.ram_bytes


def test_an_amd_card_needs_the_driver_for_computing_and_more_than_a_screens_memory(root: Path) -> None:
    device = root / "sys/class/drm/card1/device"
    put(device / "vendor", "0x1002")
    put(device / "mem_info_vram_total", str(16 * 2**30))
    assert on_linux({}, root).vendor is None
    (root / "sys/class/kfd").mkdir(parents=True)
    machine = on_linux({}, root)
    assert (machine.vendor, machine.device, machine.memory_bytes) == ("amd", "cuda", 16 * 2**30)
    assert on_linux({"HIP_VISIBLE_DEVICES": "-1"}, root).vendor is None
    put(device / "mem_info_vram_total", str(512 * 2**20))
    assert on_linux({}, root).vendor is None
    put(device / "mem_info_vram_total", str(16 * 2**30))
    put(device / "vendor", "0x8086")
    assert on_linux({}, root).vendor is None


def test_a_mac_is_known_by_its_platform(tmp_path: Path, root: Path) -> None:
    environment = tool(tmp_path, "sysctl", 'case "$2" in hw.memsize) echo 34359738368;; *) echo "Apple M3 Max";; esac')
    machine = look(environment, root, "Darwin", "arm64")
    assert (machine.vendor, machine.device, machine.name) == ("apple", "mps", "Apple M3 Max")
    assert machine.usable_gb == pytest.approx(0.8 * 34.36, rel=1e-3)
    assert look(environment, root, "Darwin", "x86_64").vendor is None


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("0::/box/inner", "sys/fs/cgroup/box/memory.max"),
        ("0::/", "sys/fs/cgroup/memory.max"),
        ("4:memory:/box", "sys/fs/cgroup/memory/box/memory.limit_in_bytes"),
        ("4:memory:/box", "sys/fs/cgroup/memory/memory.limit_in_bytes"),
    ],
)
def test_the_limit_of_a_container_is_its_memory(root: Path, line: str, place: str) -> None:
    put(root / "proc/self/cgroup", f"9:pids:/elsewhere\n{line}")
    put(root / place, "500000000")
    assert on_linux({}, root).ram_bytes == 500_000_000
    put(root / place, "max")
    assert on_linux({}, root).ram_bytes > 500_000_000


def test_the_share_of_a_container_is_its_processors(root: Path) -> None:
    put(root / "proc/self/cgroup", "0::/")
    put(root / "sys/fs/cgroup/cpu.max", "50000 100000")
    assert on_linux({}, root).cores == 1
