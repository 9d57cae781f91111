import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from trivium import hardware, overrides
from trivium.compose import hydra_at
from trivium.hardware import GB, Machine
from trivium.models import quantised
from trivium.overrides import checked
from trivium.schema import Config, HardwareConfig
from trivium.tiers import choose, problems_on, tiers

ConfigOf = Callable[..., Config]
DEVICES = {"nvidia": "cuda", "amd": "cuda", "apple": "mps", None: "cpu"}


def machine(vendor: str | None, gb: float, devices: int = 1) -> Machine:
    return Machine(vendor, DEVICES[vendor], int(gb * GB), int(64 * GB), 8, "the machine", devices)


GIB = 2**30 / 1e9


@pytest.mark.parametrize(
    ("vendor", "gb", "tier", "memory"),
    [
        ("nvidia", 8 * GIB, "cuda_12gb", 8.5),
        ("nvidia", 12 * GIB, "cuda_12gb", None),
        ("nvidia", 16 * GIB, "cuda_12gb", 17.1),
        ("nvidia", 24 * GIB, "cuda_24gb", None),
        ("nvidia", 32 * GIB, "cuda_24gb", 34.3),
        ("nvidia", 48 * GIB, "cuda_48gb", None),
        ("nvidia", 80 * GIB, "cuda_80gb", None),
        ("nvidia", 143771 * 2**20 / 1e9, "cuda_141gb", None),
        ("amd", 16 * GIB, "rocm", None),
        ("amd", 24 * GIB, "rocm", 25.7),
        ("apple", 8 * GIB, "mac_16gb", 6.8),
        ("apple", 16 * GIB, "mac_16gb", None),
        ("apple", 36 * GIB, "mac_32gb", 30.9),
        ("apple", 192 * GIB, "mac_192gb", None),
        (None, 64, "cpu", None),
    ],
)
def test_the_largest_tier_that_fits(vendor: str | None, gb: float, tier: str, memory: float | None) -> None:
    choice = choose(machine(vendor, gb))
    assert choice.tier == tier
    assert choice.changed.get("memory_gb", (0, None))[1] == memory
    assert ("memory_limit_gb" in choice.changed) == (vendor == "apple" and memory is not None)
    assert tier in str(choice) and "the machine" in str(choice)


@given(st.sampled_from(["nvidia", "amd", "apple"]), st.floats(4, 400))
def test_a_chosen_tier_is_never_refused_afterwards(vendor: str, gb: float) -> None:
    here = machine(vendor, gb)
    choice = choose(here)
    config = Config()
    settings = {key: value for key, value in tiers()[choice.tier].items() if key != "defaults"}
    choice.apply(settings)
    for key, value in settings.items():
        setattr(config.hardware, key, value)
    assert list(problems_on(here, config)) == []


def at(monkeypatch: pytest.MonkeyPatch, here: Machine) -> None:
    monkeypatch.setattr(overrides, "detect", lambda: here)


def test_auto_becomes_the_tier_and_what_is_said_besides_still_wins(
    config_of: ConfigOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, machine("nvidia", 34.35))
    found = config_of("hardware=auto").hardware
    assert (found.name, found.memory_gb, found.per_device_train_batch_size) == ("cuda_24gb", 34.3, 2)
    found = config_of("hardware=auto", "hardware.memory_gb=20", "hardware.per_device_train_batch_size=8").hardware
    assert (found.name, found.memory_gb, found.per_device_train_batch_size) == ("cuda_24gb", 20, 8)
    at(monkeypatch, machine("apple", 8.6))
    found = config_of("hardware=auto").hardware
    assert (found.name, found.memory_gb, found.memory_limit_gb) == ("mac_16gb", 6.8, 6.8)


def test_an_option_file_may_choose_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, machine("nvidia", 24 * GIB))
    (tmp_path / "experiment").mkdir()
    own = {"defaults": [{"override /hardware": "auto"}, "_self_"], "name": "mine", "hardware": {"eval_batch_tokens": 777}}
    (tmp_path / "experiment/mine.yaml").write_text("# @package _global_\n" + yaml.safe_dump(own, sort_keys=False))
    with hydra_at():
        config = checked(["experiment=mine"], tmp_path)
        assert (config.hardware.name, config.hardware.eval_batch_tokens) == ("cuda_24gb", 777)
        assert checked(["experiment=mine", "hardware=cpu"], tmp_path).hardware.name == "cpu"


@pytest.mark.parametrize(
    ("here", "words", "said"),
    [
        (machine("nvidia", 25.8), ["hardware=cuda_80gb"], "the machine has 25.8 GB; set hardware=cuda_24gb, which fits"),
        (machine("apple", 17.2), ["hardware=mac_32gb"], "of which a training may take 13.8; set hardware=mac_16gb"),
        (machine("amd", 17.2), ["hardware=cuda_12gb"], "this machine has an AMD card; set hardware=rocm"),
        (
            machine(None, 64),
            ["hardware=cuda_24gb"],
            "hardware.vendor=nvidia (hardware=cuda_24gb), and this machine has no accel",
        ),
        (machine("apple", 34), ["hardware=rocm"], "this machine has Apple Silicon; set hardware=mac_32gb"),
        (machine(None, 64), ["hardware.memory_gb=65"], "hardware.memory_gb=65 (hardware=cpu) is more than this machine's"),
        (machine("nvidia", 25.8, 2), ["hardware=cuda_24gb", "hardware.num_processes=4"], "set hardware.num_processes=2"),
    ],
)
def test_what_this_machine_has_not_is_one_sentence(config_of: ConfigOf, here: Machine, words: list[str], said: str) -> None:
    (problem,) = problems_on(here, config_of(*words))
    assert said in problem


def test_bitsandbytes_is_asked_for_where_it_is_needed(config_of: ConfigOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantised, "installed", lambda: False)
    here = machine("nvidia", 25.8)
    (problem,) = problems_on(here, config_of("adapter=qlora", "hardware=cuda_24gb"))
    assert "pip install 'trivium[qlora]'" in problem
    assert not list(problems_on(here, config_of("adapter=lora", "hardware=cuda_24gb")))
    mac = machine("apple", 34)
    assert not list(problems_on(mac, config_of("adapter=qlora", "backend=mlx", "hardware=mac_32gb")))


def test_a_run_for_another_machine_ends_before_anything_is_prepared(
    trivium: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    if hardware.detect().vendor is not None:
        pytest.skip("this machine has an accelerator")
    done = trivium("hardware=cuda_80gb", "arms=null", "tracking=none", "hydra.run.dir=run")
    assert done.returncode == 2
    assert "hardware.vendor=nvidia" in done.stderr and "no accelerator; set hardware=cpu" in done.stderr
    assert json.loads((tmp_path / "run/result.json").read_text())["status"] == "failed"
    assert not (tmp_path / "data").exists()


def test_detection_needs_nothing_heavy() -> None:
    code = "import sys, trivium.tiers as t; t.choose(t.detect()); print({'torch', 'numpy', 'psutil'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_page_has_the_tiers_as_they_are() -> None:
    page = (Path(__file__).parents[1] / "docs/hardware.md").read_text(encoding="utf-8")
    for name, tier in tiers().items():
        known = HardwareConfig(**{key: value for key, value in tier.items() if key != "defaults"})
        bits = ", ".join(map(str, known.quantisation)) or "none"
        cells = [f"`{name}`", f"{known.memory_gb:g}", known.device, known.dtype, bits, str(known.per_device_train_batch_size)]
        cells += [known.attn_implementation, str(known.dataloader_num_workers), "yes" if known.pin_memory else "no"]
        assert f"| {' | '.join(cells)} |" in page, name
