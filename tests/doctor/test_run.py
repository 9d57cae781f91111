"""The whole examination: on the command line as a user calls it, and with things that are broken."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trivium import audit as auditing
from trivium.doctor import rehearsal, run
from trivium.doctor.finding import ABSENT, FAIL, OK, WARN, Check, Finding, failed
from trivium.errors import ConfigError, TriviumError
from trivium.schema import Config

ConfigOf = Callable[..., Config]
TOKEN = "hf_notARealTokenButLongEnough"


@pytest.mark.slow
def test_a_healthy_machine_is_told_so_and_a_token_never(
    trivium: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    done = trivium("task=doctor", "hydra.run.dir=run", "tracking.uri=sqlite:///runs.db", HF_TOKEN=TOKEN, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stdout + done.stderr
    report, result = (json.loads((tmp_path / "run" / name).read_text()) for name in ("doctor.json", "result.json"))
    found = {finding["name"]: finding for finding in report["findings"]}
    assert result["status"] == "ok" and result["metrics"]["doctor/fail"] == 0
    assert result["metrics"]["doctor/ok"] == sum(f["status"] == OK for f in report["findings"])
    assert {*rehearsal.PARTS, "Python", "lock", "PyTorch", "disk", "write access", "MLflow", "hub token"} <= found.keys()
    assert all(found[name]["status"] == OK for name in list(rehearsal.PARTS)[:-1]) and found["model"]["status"] == ABSENT
    assert "HF_TOKEN" in found["hub token"]["detail"] and "✓ hub token" in done.stdout
    assert not (tmp_path / "runs.db").exists() and not (tmp_path / "data").exists()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 3 and not any(TOKEN[3:11] in path.read_text(errors="ignore") for path in written)
    assert TOKEN[3:11] not in done.stdout + done.stderr


def told(*findings: Finding) -> Callable[[Config, Path], Iterator[Finding]]:
    return lambda _config, _folder: iter(findings)


def test_a_failure_is_exit_code_1_and_warnings_are_not(
    config_of: ConfigOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "CHECKS", ())
    monkeypatch.setattr(run, "rehearse", told(Finding("a", WARN, "so-so", "mend it"), Finding("b", ABSENT, "none")))
    run.examine(config_of("tracking=none"), tmp_path / "warned")
    monkeypatch.setattr(run, "rehearse", told(Finding("a", WARN, "so-so"), Finding("b", FAIL, "broken", "mend it")))
    with pytest.raises(TriviumError, match=r"1 of 2 checks failed \(b\)") as caught:
        run.examine(config_of("tracking=none"), tmp_path / "failed")
    assert caught.value.exit_code == 1
    status = [json.loads((tmp_path / name / "result.json").read_text())["status"] for name in ("warned", "failed")]
    assert status == ["ok", "failed"]
    assert "mend it" in capsys.readouterr().out


def test_an_error_that_a_check_can_meet_is_a_finding_and_others_are_not_hidden() -> None:
    def look(_config: Config) -> Iterator[Finding]:
        yield Finding("first", OK, "fine")
        raise PermissionError(13, "Permission denied", "/somewhere")

    first, second = Check("second", look, (OSError,), "mend it").findings(Config())
    assert first.status == OK and second.status == FAIL and "/somewhere" in second.detail and second.remedy == "mend it"
    with pytest.raises(PermissionError):
        list(Check("second", look, (ValueError,)).findings(Config()))
    own = failed("x", ConfigError("a is wrong; set b."), "other")
    assert (own.detail, own.remedy) == ("a is wrong", "set b.")


@pytest.fixture
def rehearsed(config_of: ConfigOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Finding]]:
    monkeypatch.setattr(rehearsal, "LIBRARIES", ("json",))
    kept = {name: part for name, part in rehearsal.PARTS.items() if name != "configuration"}

    def composed(work: rehearsal.Work) -> str:
        work.small = config_of(*rehearsal.SMALL, f"cache_dir={tmp_path / 'cache'}")
        return "composed"

    parts = {"imports": kept.pop("imports"), "configuration": composed, **kept}
    monkeypatch.setattr(rehearsal, "PARTS", parts)
    return lambda *words: {f.name: f for f in rehearsal.rehearse(config_of(*words), tmp_path)}


def test_a_loss_without_effect_is_found_and_what_needs_it_is_left_out(
    rehearsed: Callable[..., dict[str, Finding]], monkeypatch: pytest.MonkeyPatch, random_model: Path
) -> None:
    real = auditing.audit

    def plain(config: Config, base: str, prepared: Path) -> dict[str, object]:
        report = real(config, base, prepared)
        report["terms"][0]["cosine"] = 1.0
        return report

    monkeypatch.setattr(auditing, "audit", plain)
    found = rehearsed(f"model.path={random_model}")
    assert found["losses"].status == FAIL and "has the gradient of plain cross-entropy" in found["losses"].detail
    assert found["training step"].status == ABSENT and "because losses failed" in found["training step"].detail
    assert found["model"].status == OK and "million numbers" in found["model"].detail


def test_a_device_or_a_library_that_is_not_there_fails_its_part_alone(
    rehearsed: Callable[..., dict[str, Finding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = rehearsed("hardware.device=mps" if rehearsal_has_no_mps() else "hardware.device=cuda")
    assert found["losses"].status == OK and found["training step"].status == FAIL
    assert "PyTorch" in found["training step"].detail and "set hardware=cpu" in found["training step"].remedy
    monkeypatch.setattr(rehearsal, "LIBRARIES", ("json", "no_such_library"))
    found = rehearsed()
    assert found["imports"].status == FAIL and "no_such_library" in found["imports"].detail
    assert found["data"].status == ABSENT


def rehearsal_has_no_mps() -> bool:
    import torch

    return not torch.backends.mps.is_available()


def test_an_option_that_does_not_compose_is_named(config_of: ConfigOf) -> None:
    config_of()
    with pytest.raises(ValueError, match=r"^loss=nosuch: "):
        rehearsal._name_the_one(["loss=uniform", "loss=nosuch"])
