"""The stage at the end of a run and of a finished one: forms, certificate, both gates, what is kept and what is made anew."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from trivium.artifact import receipt, seal
from trivium.errors import ConfigError
from trivium.schema import Config

SMALL = (
    "arms=null",
    "model.build.max_steps=40",
    "model.build.hidden_size=32",
    "model.build.intermediate_size=64",
    "method.max_steps=20",
    "evaluation.perplexity=false",
    "export.parity.prompts=4",
    "export.parity.max_new_tokens=8",
    "tracking=none",
)
FORCED = "export.force=true"  # so small a model fails what is critical


def trivium(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "COLUMNS": "160", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "trivium", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=environment)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run `run`, exported as adapter and merged."""
    folder = tmp_path_factory.mktemp("finished")
    done = trivium(folder, *SMALL, FORCED, "export=[adapter,merged]", "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.index("results in") < done.stdout.index("parity with the evaluated model")
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    for name in ("run", "data"):
        shutil.copytree(finished / name, tmp_path / name)
    return tmp_path / "run"


def result(run: Path) -> dict:
    return json.loads((run / "result.json").read_text())


def parity(run: Path) -> dict:
    return json.loads((run / "export" / "parity.json").read_text())


def test_a_run_ends_with_its_certificate(run: Path) -> None:
    report = parity(run)
    assert report["passed"] and [form["name"] for form in report["forms"]] == ["adapter", "merged"]
    metrics = result(run)["metrics"]
    assert metrics["export/merged/passed"] == metrics["export/adapter/top1"] == 1
    assert 0 <= metrics["export/merged/kl"] < 1e-6
    assert result(run)["stages"]["export"]["status"] == "done"
    hashes = {file: sha for form in report["forms"] for file, sha in form["files"].items()}
    assert hashes["merged/model.safetensors"] == receipt(run / "export" / "merged").files["model.safetensors"]


def test_a_finished_run_is_exported_further_and_keeps_what_it_had(run: Path) -> None:
    before, made = result(run), (run / "export" / "merged" / "model.safetensors").stat().st_mtime_ns
    settings = (run / "config.resolved.yaml").read_bytes()
    done = trivium(run.parent, "from_run=run", FORCED, "export=[merged,notebook]", "export.parity.prompts=3")
    assert done.returncode == 0, done.stderr
    after = result(run)
    assert after["stages"]["train"] == before["stages"]["train"]
    assert {k: v for k, v in after["metrics"].items() if k.startswith("eval/")} == {
        k: v for k, v in before["metrics"].items() if k.startswith("eval/")
    }
    assert (run / "export" / "merged" / "model.safetensors").stat().st_mtime_ns == made
    assert (run / "export" / "notebook").is_dir() and (run / "config.resolved.yaml").read_bytes() == settings


def test_what_does_not_answer_alike_fails_the_run(run: Path) -> None:
    """Merged weights that are the base model's, sealed as if they had been made so."""
    folder, base = run / "export" / "merged", next((run.parent / "data" / "cache" / "models").glob("tiny-*"))
    shutil.copyfile(base / "model.safetensors", folder / "model.safetensors")
    made = receipt(folder)
    seal(folder, made.stage, made.key, [folder / name for name in made.files], made.metrics)
    done = trivium(run.parent, "from_run=run", FORCED, "export=merged")
    assert done.returncode == 3
    assert "merged: mean divergence" in done.stderr and "export.parity.gate=warn" in done.stderr
    assert "What may help: remove export/merged and export it again." in done.stderr
    stage = result(run)["stages"]["export"]
    assert not parity(run)["passed"] and stage["status"] == "failed" and "mean divergence" in stage["error"]
    warned = trivium(run.parent, "from_run=run", FORCED, "export=merged", "export.parity.gate=warn")
    assert warned.returncode == 0 and "mean divergence" in warned.stdout


def test_a_damaged_form_is_made_anew(run: Path) -> None:
    file = run / "export" / "merged" / "model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-8])
    assert trivium(run.parent, "from_run=run", FORCED, "export=merged").returncode == 0
    assert file.read_bytes() == whole


def test_what_failed_is_not_exported_by_mistake(run: Path) -> None:
    shutil.rmtree(run / "export")
    done = trivium(run.parent, "from_run=run", "export=merged", "export.critical=[eval/discernment]")
    assert result(run)["verdicts"]["eval/discernment"] == "failed"
    assert done.returncode == 3 and "eval/discernment" in done.stderr and "export.force=true" in done.stderr
    assert not (run / "export").exists()
    assert trivium(run.parent, "from_run=run", "export=merged", "export.critical=[]").returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("export=merged", "stages=[prepare,train]"), "add export to the stages"),
        (("export=merged", "stages=[export]"), "from_run=<its folder>"),
        (("export=[adapter,gguuf]",), "did you mean `gguf`?"),
        (("export.hub.push=true",), "add hub to export"),
        (("export=hub", "export.hub.push=true", "export.hub.repo=nobody"), "export.hub.repo: set to 'nobody'"),
        (("export=hub", "export.hub.license=Apache 2.0"), "an identifier of the Hub's"),
        (("export=hub", "export.hub.license=mit", "export.hub.license_name=mine"), "export.hub.license_name goes with"),
        (("export=hub", "export.hub.license_name=my_own"), "export.hub.license_name: set to 'my_own'"),
        (("export=hub", "export.hub.push=true", "export.hub.repo=me/it"), "export.hub.license=other needs a name"),
        (("export=gguf", "export.gguf.types=[q9_9]"), "q8_0"),
        (("export=mlx", "export.mlx.bits=[3]"), "allowed: 4, 8"),
        (("export=lmstudio", "export.lmstudio.publisher=../../out"), "no slashes"),
        (("adapter=full", "export=[adapter,gguf_lora,merged]"), "export=[adapter,gguf_lora] exports an adapter"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(
    config_of: Callable[..., Config], words: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ConfigError) as found:
        config_of(*SMALL, *words)
    assert said in str(found.value)
