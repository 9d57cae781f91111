"""The third road as a user walks it: books, a persona, its controls; and stages that start from one another."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., "subprocess.CompletedProcess[str]"]
Run = tuple[Path, "subprocess.CompletedProcess[str]"]

SMALL = (
    "model.build.max_steps=30",
    "model.build.facts=40",
    "model.build.library=1",
    "dataset.library.world.towns=6",
    "method.max_steps=4",
    "evaluation.questions=6",
    "evaluation.facts=8",
    "evaluation.dialogues=2",
    "evaluation.max_perplexity_samples=12",
    "evaluation.max_new_tokens=8",
    "evaluation.bootstrap_samples=100",
)
METRICS = (
    "style_consistency",
    "keyword_share",
    "temporal_compliance",
    "false_refusal",
    "multi_turn_consistency",
    "general_ppl",
)
ENDS = ("", "_base", "_delta", "_ci_low", "_ci_high", "_delta_ci_low", "_delta_ci_high")


def called(folder: Path, *args: str, timeout: int = 500) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "trivium", *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout)


def result_of(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return value


def weights(folder: Path) -> dict[str, int]:
    """When every file of trained or merged weights was written."""
    files = sorted(folder.rglob("*.safetensors"))
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in files}


# --- the persona beside its controls ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One small run of the persona experiment, all arms."""
    folder = tmp_path_factory.mktemp("run")
    return folder, called(folder, "experiment=persona", *SMALL, "tracking=none", "hydra.run.dir=out")


def test_the_run_ends_with_its_table_and_samples(run: Run) -> None:
    _, done = run
    assert done.returncode == 0, done.stderr
    for word in ("before and after", "plain", "shuffled", "key-", "temporal", "multi-"):
        assert word.lower() in done.stdout.lower(), word
    assert "Traceback" not in done.stderr


def test_result_json_holds_base_tuned_and_arms(run: Run) -> None:
    result = result_of(run[0] / "out")
    assert (result["status"], result["name"]) == ("ok", "persona")
    metrics = result["metrics"]
    for metric in METRICS:
        for end in ENDS:
            assert f"eval/{metric}{end}" in metrics
        for arm in ("plain", "shuffled", "persona"):
            assert f"arms/{arm}/eval/{metric}" in metrics
    assert {"eval/general_ppl_ratio", "eval/style_judge_accuracy", "eval/retained", "eval/unlearned"} <= metrics.keys()
    assert metrics["arms/plain/eval/style_consistency_vs_main_ci_low"] <= 1
    assert metrics["arms/persona/eval/style_consistency"] == metrics["eval/style_consistency"]
    assert result["verdicts"]["eval/temporal_compliance"]


def test_missed_targets_are_warned_of(run: Run) -> None:
    assert "warning: eval/style_consistency is 0.0" in run[1].stdout
    assert "evaluation.targets.temporal_compliance asks for at least 0.95" in run[1].stdout


def test_the_base_is_asked_once_for_all_arms(run: Run) -> None:
    scores = list((run[0] / "data/cache/scores").iterdir())
    assert len([path for path in scores if not path.name.startswith(".")]) == 1
    assert len(list((run[0] / "data/cache/prepared").iterdir())) == 3, "each voice has data of its own"


def test_what_was_answered_lies_beside_the_figures(run: Run) -> None:
    folder = run[0] / "out" / "evaluation"
    names = {path.name for path in folder.glob("*.json")}
    assert "scores.json" in names
    shown = [row for name in names - {"scores.json", "manifest.json"} for row in json.loads((folder / name).read_text())]
    assert any("completion" in row for row in shown)


def test_a_strict_gate_exits_3_and_keeps_what_was_measured(run: Run) -> None:
    words = ("experiment=persona", *SMALL, "tracking=none", "hydra.run.dir=out", "evaluation.gate=strict")
    done = called(run[0], *words)
    assert done.returncode == 3, done.stderr
    assert "set evaluation.gate=warn" in done.stderr and "eval/style_consistency" in done.stderr
    result = result_of(run[0] / "out")
    assert result["status"] == "gate_failed" and "eval/style_consistency" in result["metrics"]
    assert {name: result["stages"][name]["status"] for name in ("prepare", "train")} == {"prepare": "reused", "train": "reused"}


# --- stages that start from one another ------------------------------------------------------------------------------

CHAIN = ("experiment=period_then_persona", *SMALL, "tracking=none", "~arms.persona_alone")


FULL = ("pairing=none", "adapter=full", "model.build.library_towns=6", "model.max_length=192", "method.learning_rate=1e-4")


KINDS = [pytest.param(CHAIN, id="lora"), pytest.param((*CHAIN, *FULL), id="full", marks=pytest.mark.long)]


@pytest.fixture(scope="module", params=KINDS)
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small chain: the period first, then the persona on its merged weights; by adapters, or by all weights."""
    folder = tmp_path_factory.mktemp("chain")
    return folder, called(folder, *request.param, "hydra.run.dir=out")


def test_a_chain_trains_from_merged_weights_and_says_what_survived(chain: Run) -> None:
    folder, done = chain
    assert done.returncode == 0, done.stderr
    result = result_of(folder / "out")
    assert result["status"] == "ok"
    merged = folder / "out" / "arms" / "period" / "merged"
    assert (merged / "config.json").is_file() and list(merged.glob("*.safetensors"))
    assert not (folder / "out" / "merged").exists(), "nothing starts from the last stage"
    assert len(list((folder / "data/cache/scores").iterdir())) == 1, "both stages are compared with the one origin"
    for metric in ("temporal_compliance", "style_consistency"):
        assert {f"eval/{metric}_kept{end}" for end in ("", "_ci_low", "_ci_high")} <= result["metrics"].keys()
        assert result["metrics"][f"eval/{metric}_survived"] in (0.0, 1.0)


def test_a_finished_chain_is_not_trained_again(chain: Run) -> None:
    folder, done = chain
    before, figures = weights(folder / "out"), result_of(folder / "out")["metrics"]
    assert len(before) == 3, "two stages and what is merged between them"
    again = called(folder, *done.args[3:])
    assert again.returncode == 0, again.stderr
    assert weights(folder / "out") == before
    result = result_of(folder / "out")
    assert {name: result["stages"][name]["status"] for name in ("prepare", "train")} == {"prepare": "reused", "train": "reused"}
    measured = [name for name in figures if "eval/" in name]
    assert [result["metrics"][name] for name in measured] == [figures[name] for name in measured]


@pytest.mark.long
def test_a_lost_merge_is_made_again_the_same(tmp_path: Path) -> None:
    assert called(tmp_path, *CHAIN, "hydra.run.dir=out").returncode == 0
    merged = tmp_path / "out" / "arms" / "period" / "merged"
    before = {path.name: path.read_bytes() for path in merged.glob("*.safetensors")}
    shutil.rmtree(merged)
    assert called(tmp_path, *CHAIN, "hydra.run.dir=out").returncode == 0
    assert {path.name: path.read_bytes() for path in merged.glob("*.safetensors")} == before
    assert result_of(tmp_path / "out")["stages"]["train"]["status"] == "reused"


# --- as they are shipped ---------------------------------------------------------------------------------------------


@pytest.mark.long
def test_the_persona_speaks_keeps_to_its_period_and_loses_nothing(trivium: Call, tmp_path: Path) -> None:
    done = trivium("experiment=persona", "hydra.run.dir=out", "tracking=none", timeout=1800)
    assert done.returncode == 0, done.stderr
    metrics = result_of(tmp_path / "out")["metrics"]
    style = {arm: metrics[f"arms/{arm}/eval/style_consistency"] for arm in ("plain", "shuffled", "persona")}
    period = {arm: metrics[f"arms/{arm}/eval/temporal_compliance"] for arm in ("plain", "shuffled", "persona")}
    assert style["persona"] >= 0.8 and style["plain"] <= 0.1
    assert period["persona"] >= 0.75 and period["shuffled"] <= 0.2
    assert metrics["eval/style_consistency_base"] <= 0.1
    assert metrics["eval/general_ppl_ratio"] <= 1
    assert metrics["eval/multi_turn_consistency"] >= 0.5


@pytest.mark.long
def test_a_second_training_keeps_some_of_the_period_and_says_what_it_lost(trivium: Call, tmp_path: Path) -> None:
    done = trivium("experiment=period_then_persona", "hydra.run.dir=out", "tracking=none", timeout=1800)
    assert done.returncode == 0, done.stderr
    metrics = result_of(tmp_path / "out")["metrics"]
    period = {arm: metrics[f"arms/{arm}/eval/temporal_compliance"] for arm in ("period", "persona_alone", "persona")}
    assert period["persona_alone"] <= 0.2 < 0.5 <= min(period["period"], period["persona"])
    assert metrics["eval/style_consistency"] >= 0.8 and metrics["arms/period/eval/style_consistency"] <= 0.1
    assert "eval/temporal_compliance_kept_ci_low" in metrics
