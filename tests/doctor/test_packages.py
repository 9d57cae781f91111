from importlib import metadata
from pathlib import Path

import pytest

from trivium.doctor import packages
from trivium.doctor.finding import ABSENT, FAIL, OK, WARN
from trivium.schema import Config, QloraAdapter


def pinned(folder: Path, *lines: str) -> Path:
    file = folder / "requirements.lock"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_this_environment_is_fit() -> None:
    for check in (packages.python, packages.dependencies):
        assert [finding.status for finding in check(Config())] == [OK]


def test_a_lock_that_asks_for_another_version_is_told_with_both(tmp_path: Path) -> None:
    here = metadata.version("rich")
    found = packages.against(
        pinned(tmp_path, f"hydra-core=={metadata.version('hydra-core')}", "rich==1.0.1", "nosuch-thing==2")
    )
    assert found.status == WARN and f"rich {here} (lock: 1.0.1)" in found.detail and "hydra" not in found.detail
    assert "1 of its packages not installed" in found.detail and "pip install -r requirements.lock" in found.remedy


def test_lines_for_other_systems_do_not_count(tmp_path: Path) -> None:
    found = packages.against(pinned(tmp_path, "rich==1.0.1 ; sys_platform == 'nosuch'", f"numpy=={metadata.version('numpy')}"))
    assert found.status == OK and found.detail == "as requirements.lock has them: 1 packages"


def test_a_lock_that_is_missing_or_broken_is_a_finding(tmp_path: Path) -> None:
    assert packages.against(tmp_path / "requirements.lock").status == ABSENT
    found = packages.against(pinned(tmp_path, "no = requirement"))
    assert found.status == WARN and "cannot be read" in found.detail


def test_a_local_build_is_the_pinned_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(packages, "version", lambda name: "2.13.0+cpu")
    assert packages.against(pinned(tmp_path, "torch==2.13.0")).status == OK


def test_what_cannot_be_done_without_is_missing_or_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    real = packages.version
    monkeypatch.setattr(packages, "version", lambda name: {"peft": None, "trl": "0.1"}.get(name, real(name) or "1"))
    (found,) = packages.dependencies(Config())
    assert found.status == FAIL and "missing: peft" in found.detail and "trl 0.1 (allowed: <" in found.detail


def test_an_extra_fails_only_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "version", lambda name: None)
    found = {f.name: f for f in packages.extras(Config())}
    assert found["extra wandb"].status == ABSENT and "pip install 'trivium[wandb]'" in found["extra wandb"].remedy
    found = {f.name: f for f in packages.extras(Config(adapter=QloraAdapter()))}
    if "extra qlora" in found:  # as the installed package was told
        assert found["extra qlora"].status == FAIL
