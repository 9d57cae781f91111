import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from trivium.errors import ConfigError
from trivium.serving import runs

Edit = Callable[..., None]


def test_a_finished_run_is_found_by_its_folder_and_as_the_last(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert runs.locate(str(run)) == run
    assert runs.locate("last") == Path("outputs/distrust/first")


def test_the_last_run_is_the_newest_finished_one(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: Edit
) -> None:
    import shutil

    monkeypatch.chdir(tmp_path)
    for age, name in enumerate(("cut_off", "newest", "older")):
        shutil.copytree(run, run.parent / name)
        os.utime(run.parent / name / "config.resolved.yaml", (2e9 - age, 2e9 - age))
    edit(run.parent / "cut_off", status="running", stages={})
    (run.parent / "damaged").mkdir()
    assert runs.locate("last") == Path("outputs/distrust/newest")
    edit(run.parent / "newest", status="failed", stages={})
    assert runs.locate("last") == Path("outputs/distrust/older")


def test_no_run_at_all_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="no finished run below outputs/"):
        runs.locate("last")


@pytest.mark.parametrize(
    ("status", "accepted"), [("ok", True), ("gate_failed", True), ("running", False), ("failed", False), ("pruned", False)]
)
def test_a_run_that_stopped_before_its_evaluation_is_not_finished(run: Path, edit: Edit, status: str, accepted: bool) -> None:
    edit(run, status=status, stages={"prepare": {"status": "done"}, "train": {"status": "done"}})
    problem = runs.unfinished(run)
    assert (problem is None) == accepted
    assert accepted or "never finished its stage evaluate" in str(problem)


@pytest.mark.parametrize("status", ["running", "failed"])
def test_only_the_export_failed(run: Path, edit: Edit, status: str) -> None:
    edit(run, status=status, error="no space")
    assert runs.unfinished(run) is None


def test_the_experiment_itself_is_no_arm_of_its_own(run: Path) -> None:
    assert (run / "arms" / "distrust").is_dir() and runs.unfinished(run / "arms" / "uniform") is None
    assert f"from_run={run}." in str(runs.unfinished(run / "arms" / "distrust"))


def test_folders_that_are_no_run_are_told_apart(run: Path, edit: Edit) -> None:
    assert "is not a folder" in str(runs.unfinished(run / "missing"))
    assert f"did you mean {run}?" in str(runs.unfinished(run.parent))
    edit(run, status="failed", error="the loss is not finite")
    for weights in ("adapter", "model"):
        (run / weights / "manifest.json").unlink(missing_ok=True)
    assert "no trained weights (it ended as failed: the loss is not finite)" in str(runs.unfinished(run))
    (run / "result.json").write_text("{")
    with pytest.raises(ConfigError, match="is damaged"):
        runs.unfinished(run)
    (run / "result.json").unlink()
    assert "it is not the folder of a run" in str(runs.unfinished(run))


def test_a_run_that_is_being_written_is_left_alone(run: Path, edit: Edit) -> None:
    edit(run, status="running")
    with FileLock(run / ".lock"):
        assert "another process is still writing" in str(runs.unfinished(run))
    assert runs.unfinished(run) is None


def test_a_finished_run_can_be_looked_at_while_it_is_exported(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with FileLock(run / ".lock"):
        assert runs.locate("last") == Path("outputs/distrust/first")
