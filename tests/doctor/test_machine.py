import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from trivium.doctor import machine
from trivium.doctor.finding import FAIL, OK, WARN
from trivium.hardware import detect
from trivium.schema import Config

ConfigOf = Callable[..., Config]
processor = pytest.mark.skipif(detect().vendor is not None, reason="this machine has an accelerator")


@processor
def test_settings_for_a_card_that_is_not_there_fail_with_the_way_out(config_of: ConfigOf) -> None:
    config = config_of("hardware=cuda_24gb")
    _, found = machine.accelerator(config)
    assert found.status == FAIL and found.detail.startswith("hardware.vendor=nvidia") and "set hardware=cpu" in found.remedy
    (found,) = machine.pytorch(config)
    assert found.status == FAIL and "sees cpu; hardware.device=cuda" in found.detail and "for CUDA" in found.remedy


@processor
def test_a_card_that_pytorch_does_not_see_is_told(config_of: ConfigOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "detect", lambda: replace(detect(), vendor="amd", device="cuda", name="Radeon"))
    (found,) = machine.pytorch(config_of())
    assert found.status == WARN and found.detail.endswith("sees cpu; not the Radeon")
    assert "for ROCm" in found.remedy


def test_a_processor_is_enough(config_of: ConfigOf) -> None:
    config = config_of()
    assert [f.status for f in machine.memory(config)] in ([OK], [WARN])
    assert next(iter(machine.memory(config))).detail.endswith("cores")


def test_disk_is_judged_by_what_is_free(tmp_path: Path) -> None:
    assert [machine._room(tmp_path, free).status for free in (50, 5, 0.5)] == [OK, WARN, FAIL]


def test_where_nothing_can_be_written_is_told_and_nothing_is_left(
    config_of: ConfigOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (found,) = machine.write_access(config_of())
    assert found.status == OK and not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    (found,) = machine.write_access(config_of("cache_dir=file/cache"))
    assert found.status == FAIL and "file/cache: not a directory" in found.detail
    if os.geteuid():  # root writes everywhere
        (tmp_path / "locked").mkdir(mode=0o500)
        (found,) = machine.write_access(config_of("cache_dir=locked"))
        assert found.status == FAIL and "locked: permission denied" in found.detail
    if Path("/proc/self").is_dir():
        (found,) = machine.write_access(config_of("cache_dir=/proc/cache"))
        assert found.status == FAIL and "/proc/cache" in found.detail and "cache_dir=…" in found.remedy
