"""The notebook: a valid .ipynb that carries all it needs, says what it cannot carry, and repeats the run to the digit."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conftest import FAST
from tests.export.finished import METRICS

from trivium.console import Screen
from trivium.errors import ConfigError
from trivium.export import notebook, parcel, repeat
from trivium.export.job import Job
from trivium.export.kinds import notebook as kind
from trivium.schema import Config

EXECUTE = """
import json, sys
names = {"__name__": "__main__"}
for cell in json.load(open(sys.argv[1]))["cells"]:
    if cell["cell_type"] == "code":
        exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
"""
SUITE = """
name: harbour
version: 1
source: the tests
parts:
  - metric: harbour_choice
    kind: choice
    thresholds: {marginal: 0.3, good: 0.6, excellent: 0.85}
    items:
      - question: In which year was the mole finished?
        options: [{text: "1874"}, {text: "1882"}]
"""


@pytest.fixture
def job(config_of: Callable[..., Config], tmp_path: Path) -> Callable[..., Job]:
    def make(*overrides: str, **changes: Any) -> Job:
        told = {"metrics": METRICS, "run_id": "a1b2c3", **changes}
        return Job(config_of(*overrides), "base", tmp_path / "run", tmp_path / "run" / "export", Screen(), **told)

    return make


def typed(folder: Path, words: list[str], config_dir: Path | None = None) -> None:
    """What Hydra leaves in a run's folder."""
    (folder / ".hydra").mkdir(parents=True)
    sources = [{"path": "conf", "provider": "main"}]
    sources += [{"path": str(config_dir), "provider": "command-line"}] if config_dir else []
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(words))
    (folder / ".hydra" / "hydra.yaml").write_text(yaml.safe_dump({"hydra": {"runtime": {"config_sources": sources}}}))


def code_of(content: dict[str, Any]) -> list[str]:
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == "code"]


def execute(path: Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the code cells in order, in an empty folder and a fresh process."""
    folder.mkdir()
    environment = {**os.environ, notebook.SKIP_INSTALL: "1", "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-c", EXECUTE, str(path)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280, env=environment)


def test_it_is_what_nbformat_asks_for(job: Callable[..., Job]) -> None:
    content = json.loads(json.dumps(notebook.notebook(job("arms=null")).content))
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5) and set(content) == {
        "cells",
        "metadata",
        "nbformat",
        "nbformat_minor",
    }
    ids = [cell["id"] for cell in content["cells"]]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", one) for one in ids)
    for cell in content["cells"]:
        more = {"execution_count", "outputs"} if cell["cell_type"] == "code" else set()
        assert set(cell) == {"cell_type", "id", "metadata", "source"} | more
        assert all(isinstance(line, str) for line in cell["source"])
    for code in code_of(content):
        ast.parse(code)


def test_everything_that_trivium_needs_is_pinned(job: Callable[..., Job]) -> None:
    pinned = parcel.requirements("torch")
    assert all(re.fullmatch(r"[\w.-]+==[\w.!]+", one) for one in pinned)
    names = {one.split("==")[0] for one in pinned}
    assert {"torch", "transformers", "hydra-core", "trl"} <= names and "ruff" not in names
    assert "ruff" in {one.split("==")[0] for one in parcel.requirements("dev")}
    install = code_of(notebook.notebook(job("arms=null")).content)[0]
    assert all(repr(one) in install for one in pinned)


@pytest.mark.parametrize("experiment", ["distrust", "coherence", "persona", "period_then_persona"])
def test_the_settings_lead_to_themselves_arms_and_all(config_of: Callable[..., Config], experiment: str) -> None:
    config = config_of(f"experiment={experiment}", "method.learning_rate=0.0123", "seed=5")
    line = repeat._resolved(config)
    found = repeat.config_of(line)
    assert repeat.settings(found) == repeat.settings(config)
    assert found.arms == config.arms


def test_typed_words_are_kept_where_they_lead_to_the_same(job: Callable[..., Job]) -> None:
    made = job("arms=null", "loss.alpha=1.5", "tracking=none")
    typed(made.run, ["arms=null", "++loss.alpha=1.5", "hydra.run.dir=/home/me/x", "++cache_dir=/home/me/y", "tracking=none"])
    assert repeat.line(made).words == ["arms=null", "loss.alpha=1.5"]
    words = notebook.notebook(made).words
    assert words[:2] == ["arms=null", "loss.alpha=1.5"] and "hydra.run.dir=results" in words and "tracking=none" in words


def test_options_of_the_place_stay_at_home(job: Callable[..., Job], tmp_path: Path) -> None:
    for name, text in {"tracking/mine.yaml": "uri: https://me:secret@there", "loss/mild.yaml": "name: uniform"}.items():
        (tmp_path / "options" / name).parent.mkdir(parents=True)
        (tmp_path / "options" / name).write_text(text)
    made = job("arms=null")
    typed(made.run, ["arms=null", "tracking=mine"], tmp_path / "options")
    found = repeat.line(made)
    assert found.words == ["arms=null"] and set(found.options) == {"loss/mild.yaml"}


def test_words_that_lead_elsewhere_give_way_to_the_settings(job: Callable[..., Job]) -> None:
    made = job("arms=null", "loss.alpha=1.5")
    typed(made.run, ["arms=null", "++loss.alpha=99"])
    line = repeat.line(made)
    assert line.words == ["experiment=as_run"] and repeat.config_of(line).loss.alpha == 1.5


def test_a_run_that_is_taken_up_is_repeated_with_the_arms_that_it_had(job: Callable[..., Job]) -> None:
    made = job("experiment=period_then_persona", "dataset.library.world.towns=6")
    typed(made.run, ["experiment=period_then_persona", "++dataset.library.world.towns=6"])
    taken_up = replace(made, config=replace(made.config, arms=None, stages=["export"], from_run="x"))
    found = notebook.notebook(taken_up)
    assert found.words[:2] == ["experiment=period_then_persona", "dataset.library.world.towns=6"]
    assert "stages=[prepare,train,evaluate]" in found.words
    shutil.rmtree(made.run)
    with pytest.raises(ConfigError, match=r"export\.notebook"):  # it starts from an arm that nobody knows any more
        notebook.notebook(taken_up)


def test_settings_that_nothing_leads_to_are_told(job: Callable[..., Job]) -> None:
    made = job("arms=null")
    with pytest.raises(ConfigError, match=r"export\.notebook"):
        repeat.line(replace(made, config=replace(made.config, seed=-1)))


def test_other_hardware(job: Callable[..., Job]) -> None:
    content = notebook.notebook(job("arms=null", "export.notebook.hardware=cuda_24gb")).content
    assert any("'hardware=cuda_24gb'" in code for code in code_of(content))
    assert content["metadata"]["accelerator"] == "GPU" and "cuda_24gb" in "".join(content["cells"][0]["source"])
    words = notebook.notebook(job("arms=null", "backend=mlx", "export.notebook.hardware=cuda_24gb")).words
    assert {"backend=torch", "hardware=cuda_24gb"} <= set(words)
    with pytest.raises(ConfigError, match=r"^export\.notebook\.hardware=cuda_24g: no such option; did you mean `cuda_24gb`"):
        notebook.notebook(job("arms=null", "export.notebook.hardware=cuda_24g"))


def test_the_same_run_gives_the_same_bytes(job: Callable[..., Job]) -> None:
    assert notebook.notebook(job("arms=null")).content == notebook.notebook(job("arms=null")).content


def test_files_of_the_user_go_along_under_names_of_their_own(
    job: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, work = tmp_path / "zebedee", tmp_path / "work"
    (work / "own").mkdir(parents=True)
    home.mkdir()
    monkeypatch.chdir(work)
    (home / "suite.yaml").write_text(SUITE)
    (work / "own" / "suite.yaml").write_text(SUITE.replace("harbour", "pier"))
    made = job("arms=null", f"evaluation.suites=[{home}/suite.yaml,own/suite.yaml,small_world]")
    typed(made.run, ["arms=null", f"++evaluation.suites=[{home}/suite.yaml,own/suite.yaml,small_world]"])
    found = notebook.notebook(made)
    assert found.words[1] == "evaluation.suites=[files/suite.yaml,own/suite.yaml,small_world]"
    assert "zebedee" not in json.dumps(found.content) and str(tmp_path) not in json.dumps(found.content)
    carried = parcel.pack(repeat.settings(made.config)).contents
    assert carried["files/suite.yaml"] == SUITE.encode() and b"pier" in carried["own/suite.yaml"]


def test_two_files_of_one_name_and_a_folder(tmp_path: Path) -> None:
    for name in ("a/x.yaml", "b/x.yaml", "texts/one.txt", "texts/deep/two.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    settings = {"one": f"{tmp_path}/a/x.yaml", "arms": {"b": [f"k=[{tmp_path}/b/x.yaml]"]}, "path": f"{tmp_path}/texts"}
    found = parcel.pack(settings)
    assert found.contents["files/x.yaml"] == b"a/x.yaml" and found.contents["files/1_x.yaml"] == b"b/x.yaml"
    assert found.contents["files/texts/deep/two.txt"] == b"texts/deep/two.txt"
    assert found.rewritten(f"k=[{tmp_path}/b/x.yaml] {tmp_path}/texts_2") == f"k=[files/1_x.yaml] {tmp_path}/texts_2"


def test_an_interpreter_stays_at_home(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("a program")
    assert not parcel.named_files({"backend": {"python": f"{tmp_path}/python"}})
    assert parcel.named_files({"model": {"chat_template": f"{tmp_path}/python"}})


def test_what_is_too_large_is_asked_for(job: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcel, "LIMIT", 100)
    (tmp_path / "texts.txt").write_text("A text. " * 100)
    made = job("arms=null", "dataset=folder", f"dataset.path={tmp_path}/texts.txt")
    found = notebook.notebook(made)
    assert found.wanted == {"files/texts.txt": 800}
    check = next(code for code in code_of(found.content) if "Upload these first" in code)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"files/texts\.txt"):
        exec(check, {})
    (tmp_path / "files").mkdir()
    shutil.copy(tmp_path / "texts.txt", tmp_path / "files")
    exec(check, {})


def test_nothing_of_this_machine_and_no_token(job: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_thisMustNeverBeSeen123")
    made = job("arms=null", f"cache_dir={tmp_path}/cache", "acquire.http.user_agent=zebedee@home")
    text = json.dumps(notebook.notebook(made).content)
    assert not [secret for secret in ("hf_thisMust", str(tmp_path), "zebedee", str(Path.cwd())) if secret in text]


@pytest.mark.slow
def test_it_runs_and_gives_the_same_figures(
    trivium: Callable[..., Any], config_of: Callable[..., Config], tmp_path: Path
) -> None:
    own = tmp_path / "options"
    (own / "loss").mkdir(parents=True)
    (own / "loss" / "mild.yaml").write_text("defaults: [schema_distrust, _self_]\nalpha: 0.7\n")
    (tmp_path / "suite.yaml").write_text(SUITE)
    words = [word for word in FAST if not word.startswith(("sweep.", "evaluation.suites"))]
    words += ["arms=null", "loss=mild", f"evaluation.suites=[small_world,{tmp_path}/suite.yaml]", "tracking=none"]
    done = trivium(*words, "--config-dir", str(own), "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    first = json.loads((tmp_path / "run" / "result.json").read_text())
    from trivium.overrides import checked

    config = checked(words, own)
    job = Job(config, "base", tmp_path / "run", tmp_path / "run" / "export", Screen(), metrics=first["metrics"])
    out = tmp_path / "out"
    out.mkdir()
    notes = kind.make(job, out, {})
    assert notes["bytes"] == (out / f"{config.name}.ipynb").stat().st_size and not notes["to_upload"]
    again = execute(out / f"{config.name}.ipynb", tmp_path / "elsewhere")
    assert again.returncode == 0, again.stderr + again.stdout
    second = json.loads((tmp_path / "elsewhere" / "results" / "result.json").read_text())
    measured = {name for name in first["metrics"] if name.startswith(("eval/", "band/", "data/"))}
    assert {name for name in measured if "harbour" in name}
    assert {name: first["metrics"][name] for name in measured} == {name: second["metrics"].get(name) for name in measured}
    assert (tmp_path / "elsewhere" / f"{config.name}.zip").is_file()
    own_program = tmp_path / "elsewhere" / parcel.SOURCE / "src" / "trivium"
    assert (own_program / "__pycache__").is_dir(), "the notebook ran some other Trivium"
    assert re.search(r"eval/source_preference +(\S+) +\1", again.stdout)


def test_a_run_that_fails_is_told_by_the_cell(job: Callable[..., Job], tmp_path: Path) -> None:
    content = notebook.notebook(job("arms=null")).content
    for cell in content["cells"]:
        cell["source"] = [line.replace("'arms=null'", "'no_such_key=1'") for line in cell["source"]]
        cell["source"] = [line.replace("'experiment=as_run'", "'no_such_key=1'") for line in cell["source"]]
    (tmp_path / "it.ipynb").write_text(json.dumps(content))
    done = execute(tmp_path / "it.ipynb", tmp_path / "there")
    assert done.returncode != 0 and "exit code 2" in done.stderr and "no such key" in done.stdout
