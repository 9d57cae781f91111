"""A finished run that is exported later, from the command line."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from trivium import pipeline
from trivium.arms import Arm
from trivium.compose import hydra_at
from trivium.console import Screen
from trivium.errors import GateError, ModelError
from trivium.result import Result
from trivium.serving import runs, serve
from trivium.serving.programs import load
from trivium.serving.settings import take_up

Call = Callable[..., "subprocess.CompletedProcess[str]"]
Edit = Callable[..., None]


def test_an_export_later_adds_to_the_run_and_changes_nothing_in_it(
    trivium: Call, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {path: path.read_bytes() for path in [run / "config.resolved.yaml", *(run / ".hydra").iterdir()]}
    before = json.loads((run / "result.json").read_text())
    done = trivium(f"from_run={run}", "export=[merged]", "export.parity.prompts=2", "export.critical=[]")
    assert done.returncode == 0, done.stderr
    after = json.loads((run / "result.json").read_text())
    assert after["stages"].keys() >= before["stages"].keys() and after["stages"]["export"]["status"] == "done"
    assert after["metrics"].items() >= before["metrics"].items()
    assert {path: path.read_bytes() for path in kept} == kept
    assert sorted(path.name for path in run.parent.iterdir()) == ["first"]

    monkeypatch.chdir(tmp_path)
    with hydra_at():
        config = take_up(run, ["task=serve"])
    weights = serve._weights(config, run, "", load("transformers"), Result.taken_up(run), Screen())
    assert weights == run / "export" / "merged" and not (run / "serving").exists()
    shard = weights / "model.safetensors"
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(ModelError, match="export/merged is not as it was written; export it again"):
        serve._weights(config, run, "", load("transformers"), Result.taken_up(run), Screen())


FAILED = {"verdicts": {"eval/discernment": "failed"}, "metrics": {"eval/discernment": 0.1}}


def export(run: Path, *words: str) -> None:
    with hydra_at():
        config = take_up(run, [f"cache_dir={run.parents[2]}/data/cache", *words])
    pipeline.run(config, [Arm(config.name, config, True)], run, "again")


@pytest.mark.parametrize("status", ["ok", "gate_failed"])
def test_a_run_stays_finished_when_its_export_is_refused(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: Edit, status: str
) -> None:
    monkeypatch.chdir(tmp_path)
    edit(run, status=status, error="as it ended", **FAILED)
    with pytest.raises(GateError, match="not exported: eval/discernment"):
        export(run, "export=[merged]", "export.critical=[eval/discernment]")
    after = json.loads((run / "result.json").read_text())
    assert (after["status"], after["error"]) == (status, "as it ended")
    assert after["stages"]["export"]["status"] == "failed" and "eval/discernment" in after["stages"]["export"]["error"]
    assert runs.locate("last").resolve() == run


def test_a_run_that_its_export_ended_gets_a_new_ending(run: Path, edit: Edit) -> None:
    stages = {name: {"status": "done"} for name in ("prepare", "train", "evaluate")}
    edit(run, status="failed", error="no space", stages={**stages, "export": {"status": "failed"}}, **FAILED)
    with pytest.raises(GateError):
        export(run, "export=[merged]", "export.critical=[eval/discernment]")
    after = json.loads((run / "result.json").read_text())
    assert after["status"] == "gate_failed" and "eval/discernment" in after["error"]


def test_another_base_model_is_refused(run: Path) -> None:
    path = run / "adapter" / "manifest.json"
    manifest = json.loads(path.read_text())
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= manifest["inputs"].keys()
    manifest["inputs"]["model.safetensors"] = "0" * 64
    path.write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match=r"is not the one that .*first was trained on \(model.safetensors\)"):
        export(run, "export=[merged]", "export.critical=[]")


def test_a_run_may_lie_anywhere(trivium: Call, run: Path) -> None:
    odd = run.parent / "it's a=b, [x] {y} ünï"
    run.rename(odd)
    quoted = str(odd).replace("'", r"\'")
    done = trivium("task=chat", f"from_run='{quoted}'")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in odd.parent.iterdir()] == [odd.name]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("task=chat",), "task=chat needs a finished run"),
        (("task=chat", "from_run=missing"), "from_run: missing is not a folder"),
        (("from_run=missing", "--cfg", "job"), "shows its settings in its config.resolved.yaml"),
    ],
)
def test_what_is_no_run_exits_2_and_leaves_nothing(trivium: Call, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = trivium(*words)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
