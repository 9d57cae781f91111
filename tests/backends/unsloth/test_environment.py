"""The interpreter that is found, and what a process in Unsloth's environment is told."""

import os
import sys
from pathlib import Path

import pytest

from trivium.backends.unsloth import environment
from trivium.errors import ConfigError
from trivium.schema import BackendConfig, Config, HardwareConfig


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def at(python: str) -> Config:
    return Config(backend=BackendConfig(name="unsloth", python=python))


def test_the_version_is_asked_of_the_other_interpreter(tmp_path: Path) -> None:
    found = script(tmp_path / "a", "echo 2026.10.9")
    assert (environment.version(found), environment.interpreter(at(found))) == ("2026.10.9", found)
    assert environment.version(sys.executable) is None
    assert environment.version(script(tmp_path / "b", "exit 3")) is None
    assert environment.version(script(tmp_path / "c", "true")) is None
    assert environment.version(str(tmp_path)) is None


def test_the_link_of_an_environment_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter behind it knows nothing of what is installed there."""
    script(tmp_path / "real", "echo 2026.10.9")
    (tmp_path / "env").mkdir()
    os.symlink(tmp_path / "real", tmp_path / "env" / "python")
    monkeypatch.chdir(tmp_path)
    assert environment.interpreter(at("env/python")) == str(tmp_path / "env" / "python")


def test_what_cannot_be_run_is_no_interpreter(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello", encoding="utf-8")
    with pytest.raises(ConfigError, match="there is no interpreter at"):
        environment.interpreter(at(str(tmp_path / "text")))


@pytest.mark.parametrize(("device", "forced", "allowed"), [("cpu", "1", "0"), ("cuda", "0", "1")])
def test_it_installs_nothing_and_calls_nobody(tmp_path: Path, device: str, forced: str, allowed: str) -> None:
    told = environment.variables(Config(hardware=HardwareConfig(device=device), cache_dir=str(tmp_path)))
    assert told == {
        "UNSLOTH_AUTO_INSTALL": "0",
        "UNSLOTH_FORCE_CPU": forced,
        "UNSLOTH_ALLOW_CPU": allowed,
        "UNSLOTH_DISABLE_STATISTICS": "1",
        "UNSLOTH_COMPILE_LOCATION": str(tmp_path / "unsloth"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
