"""Runs made again from what was recorded of them: identical where nothing changed, and told beforehand where something did."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trivium import arms, environment, pipeline
from trivium.artifact import write_json
from trivium.compose import hydra_at
from trivium.errors import ConfigError, GateError
from trivium.overrides import checked
from trivium.reproduce.findings import findings
from trivium.reproduce.plan import planned
from trivium.reproduce.run import reproduce
from trivium.reproduce.source import read
from trivium.result import Result
from trivium.schema import Config

from .conftest import sentences

Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the user's own data."""
    place = tmp_path_factory.mktemp("reproduce")
    rows = [{"text": text, "year": 1880 + i, "source_type": "notebook"} for i, text in enumerate(sentences(40, 3))]
    (place / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place


@pytest.fixture(scope="module")
def here(place: Path) -> list[str]:
    """Where it is recorded, and where things are kept."""
    return [f"tracking.uri=sqlite:///{place}/mlflow.db", f"cache_dir={place / 'cache'}"]


@pytest.fixture(scope="module")
def made(place: Path, here: list[str], random_model: Path) -> Result:
    """A run of two arms on a folder of texts."""
    words = [
        "experiment=none",
        "dataset=folder",
        f"dataset.path={place / 'texts.jsonl'}",
        "dataset.min_chars=10",
        "dataset.dedup.enabled=false",
        f"model.path={random_model}",
        "model.max_length=64",
        "adapter.r=2",
        "method.max_steps=4",
        "method.total_batch_size=4",
        "method.logging_steps=1",
        "evaluation.suites=[]",
        "evaluation.bootstrap_samples=100",
        "arms={uniform: ['loss=uniform']}",
        *here,
    ]
    with hydra_at():
        config = checked(words)
        return pipeline.run(config, arms.plan(config, words, checked), place / "made", "made")


def again(name: str, out: Path, words: list[str]) -> Result:
    with hydra_at():
        config, its_arms = planned(["task=reproduce", f"reproduces={name}", *words], None)
    return reproduce(config, its_arms, out, "again")


@pytest.fixture(scope="module")
def twin(place: Path, here: list[str], made: Result) -> Path:
    """It, made again from what MLflow holds, with nothing kept but the base model's folder."""
    again(str(made.mlflow_run_id), place / "twin", [*here[:1], f"cache_dir={place / 'other_cache'}"])
    return place / "twin"


def report_of(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / "reproduction.json").read_text())
    return value


def told(name: str, words: list[str]) -> dict[str, tuple[str, str]]:
    """What is found beforehand: the status and the words, by what it is about."""
    with hydra_at():
        config, its_arms = planned(["task=reproduce", f"reproduces={name}", *words], None)
    return {one.what: (one.status, one.now) for one in findings(read(name, config.tracking), config, its_arms)}


def test_from_mlflow_alone_it_is_the_same_to_the_last_bit(place: Path, twin: Path, made: Result) -> None:
    report = report_of(twin)
    assert report["verdict"] == "identical"
    assert report["weights_identical"] == {"distrust": True, "uniform": True}
    assert report["metrics"]["different"] == {} and report["metrics"]["compared"] > 50
    assert {one["status"] for one in report["told"]} == {"same"}
    for arm in ("", "arms/uniform"):
        files = [folder / arm / "adapter" / "adapter_model.safetensors" for folder in (place / "made", twin)]
        assert files[0].read_bytes() == files[1].read_bytes()
    result = json.loads((twin / "result.json").read_text())
    assert (result["task"], result["status"]) == ("reproduce", "ok")
    assert result["metrics"]["reproduce/identical"] == 1.0
    assert result["mlflow_run_id"] != made.mlflow_run_id


def test_its_run_in_mlflow_names_the_first(twin: Path, here: list[str], made: Result) -> None:
    import mlflow

    client = mlflow.MlflowClient(here[0].removeprefix("tracking.uri="))
    run = client.get_run(json.loads((twin / "result.json").read_text())["mlflow_run_id"])
    assert run.data.tags["reproduces"] == made.mlflow_run_id
    assert run.data.metrics["reproduce/identical"] == 1.0
    assert {file.path for file in client.list_artifacts(run.info.run_id)} >= {
        "config.resolved.yaml",
        "environment.json",
        "inputs.json",
        "reproduction.json",
    }


def test_mlflow_and_the_folder_tell_the_same(place: Path, here: list[str], made: Result) -> None:
    with hydra_at():
        tracking = checked(here).tracking
    folder, recorded = read(str(place / "made"), tracking), read(str(made.mlflow_run_id), tracking)
    for name in ("run_id", "settings", "arms", "environment", "inputs", "receipts"):
        assert getattr(folder, name) == getattr(recorded, name), name
    assert set(folder.arms) == {"distrust", "uniform"}
    assert folder.weights("uniform") and folder.base("uniform")
    lasting = {name: value for name, value in folder.metrics.items() if "system/" not in name}  # lines tell memory as it grows
    assert len(lasting) > 50 and lasting.items() <= recorded.metrics.items()


def test_a_difference_that_nothing_explains_ends_with_exit_code_3(place: Path, here: list[str], made: Result) -> None:
    shutil.copytree(place / "made", place / "tampered")
    manifest = place / "tampered" / "adapter" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"adapter_model.safetensors": "', '"adapter_model.safetensors": "0'))
    with pytest.raises(
        GateError, match=r"weights of 1 of 2 trainings are the same bytes.*nothing was found to differ"
    ) as caught:
        again(str(place / "tampered"), place / "again", here)
    assert caught.value.exit_code == 3
    assert report_of(place / "again")["verdict"] == "differs"
    assert json.loads((place / "again" / "result.json").read_text())["status"] == "gate_failed"


def test_changed_data_are_told_and_explain_what_differs(place: Path, here: list[str], made: Result, tmp_path: Path) -> None:
    moved = tmp_path / "texts.jsonl"
    shutil.copy(place / "texts.jsonl", moved)
    words = [*here, f"dataset.path={moved}"]
    assert told(str(place / "made"), words)["distrust: dataset.path"][0] == "same", "the same data in another place"
    lines = moved.read_text().splitlines()
    moved.write_text("\n".join([json.dumps({"text": "the mass of the moon is seven grams"}), *lines[1:]]) + "\n")
    found = told(str(place / "made"), words)
    assert found["uniform: dataset.path"][0] == found["distrust: dataset.path"][0] == "differs"
    result = again(str(place / "made"), tmp_path / "out", words)
    assert report_of(tmp_path / "out")["verdict"] == "differs, as was to be expected"
    assert result.metrics["reproduce/identical"] == 0.0 and result.metrics["reproduce/metrics_different"] > 0


def changed(run: Path, edit: Callable[[dict[str, Any]], object]) -> str:
    """The run's folder after its environment was told differently."""
    path = run / environment.FILE
    content = json.loads(path.read_text())
    edit(content)
    write_json(path, content)
    return str(run)


@pytest.mark.parametrize(
    ("edit", "what", "words"),
    [
        (lambda e: e["packages"].update(torch="1.0", gone="2.0"), "packages", "torch"),
        (lambda e: e["machine"].update(threads=64), "machine", "threads"),
        (lambda e: e["code"].update(backends="0"), "source code", "changed: backends"),
        (lambda e: e.update(python="CPython 3.9.1"), "python", "CPython"),
        (lambda e: e.update(gone_on_under=[{**e, "python": "PyPy"}]), "interruption", "unbroken"),
    ],
    ids=["packages", "threads", "code", "python", "interruption"],
)
def test_another_environment_is_told(
    place: Path, here: list[str], made: Result, tmp_path: Path, edit: Any, what: str, words: str
) -> None:
    for name in ("config.resolved.yaml", "result.json", "environment.json", "inputs.json", "adapter", "arms"):
        source = place / "made" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    found = told(changed(tmp_path, edit), here)
    assert found[what][0] == "differs" and words in found[what][1]
    assert [name for name, (status, _) in found.items() if status != "same"] == [what]


def test_a_run_without_records_is_made_again_as_far_as_it_is_known(
    place: Path, here: list[str], made: Result, tmp_path: Path
) -> None:
    for name in ("config.resolved.yaml", "result.json"):
        shutil.copy(place / "made" / name, tmp_path)
    found = told(str(tmp_path), here)
    assert {name for name, (status, _) in found.items() if status == "unknown"} >= {"environment", "data", "base model"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["task=reproduce"], r"needs the run: reproduces="),
        (["reproduces={run}"], r"needs task=reproduce"),
        (["task=reproduce", "reproduces={run}", "loss.alpha=1"], r"loss\.alpha: a run that is made again keeps its settings"),
        (["task=reproduce", "reproduces=nothing/there"], r"neither a folder nor the id"),
        (["task=reproduce", "reproduces=" + "0" * 32], r"MLflow has no run 0000"),
        (["task=reproduce", "reproduces={id}", "tracking=none"], r"looked for in MLflow; set tracking=mlflow"),
        (["task=reproduce", "reproduces={run}/arms/uniform"], r"is an arm; name its run"),
        (["task=reproduce", "reproduces={arm}"], r"is the arm uniform; name its run, [0-9a-f]{32}"),
        (["task=reproduce", "reproduces={empty}"], r"it is not the folder of a run"),
        (["task=reproduce", "reproduces={failed}"], r"did not finish \(failed\)"),
    ],
)
def test_what_cannot_be_made_again_is_one_sentence(
    place: Path, here: list[str], made: Result, tmp_path: Path, words: list[str], sentence: str
) -> None:
    failed = tmp_path / "failed"
    failed.mkdir()
    shutil.copy(place / "made" / "config.resolved.yaml", failed)
    Result("run", "run", "failed").write(failed)
    arm = json.loads((place / "made" / "arms" / "uniform" / "mlflow.json").read_text())["run_id"]
    names = {"run": place / "made", "id": made.mlflow_run_id, "arm": arm, "empty": tmp_path, "failed": failed}
    filled = [word.format(**names) for word in words]
    here = here if not any(word.startswith("tracking=") for word in filled) else here[1:]
    with pytest.raises(ConfigError, match=sentence), hydra_at():
        planned([*filled, *here], None)


def test_data_that_are_gone_stop_it_before_a_folder_is_made(
    trivium: Call, place: Path, here: list[str], made: Result, tmp_path: Path
) -> None:
    words = [f"dataset.path={tmp_path / 'gone.jsonl'}", *here]
    done = trivium("task=reproduce", f"reproduces={place / 'made'}", "hydra.run.dir=out", *words)
    assert done.returncode == 2, done.stderr
    assert "dataset.path" in done.stderr and "does not exist" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_environment_holds_neither_secrets_nor_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
    text = json.dumps(environment.describe(Config()))
    assert "very_secret" not in text
    assert str(Path.home()) not in text and str(Path.cwd()) not in text
    assert {"torch", "transformers", "trl"} <= set(json.loads(text)["packages"])
