"""The second road as a user walks it: questions, a warm start, GRPO, held-out answers; and the audit of its rewards."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet
import pytest

Call = Callable[..., "subprocess.CompletedProcess[str]"]

SMALL = (
    "experiment=coherence",
    "reward=lightweight",
    "~evaluation.scores.entailment",
    "reward.audit_search=20",
    "reward.audit_prompts=4",
    "model.build.max_steps=10",
    "dataset.logic.names=10",
    "method.warm_start.max_steps=4",
    "method.max_steps=2",
    "method.total_batch_size=16",
    "method.gold_steps=1",
    "method.gold_prompts=4",
    "evaluation.bootstrap_samples=100",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
    """One small run of the coherence experiment without models behind its rewards, both arms, with MLflow."""
    folder = tmp_path_factory.mktemp("run")
    command = [sys.executable, "-m", "trivium", *SMALL, "hydra.run.dir=outputs/here"]
    return folder, subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500)


def test_the_run_ends_with_its_table(run: tuple[Path, "subprocess.CompletedProcess[str]"]) -> None:
    _, done = run
    assert done.returncode == 0, done.stderr
    for word in ("distinct prompts", "proxy", "gold", "warm_start", "grpo", "passes"):
        assert word in done.stdout
    assert "Traceback" not in done.stderr


def test_result_json_holds_base_tuned_and_arms(run: tuple[Path, "subprocess.CompletedProcess[str]"]) -> None:
    result = json.loads((run[0] / "outputs/here/result.json").read_text())
    assert (result["status"], result["name"]) == ("ok", "coherence")
    metrics = result["metrics"]
    for metric in ("gold_reward", "proxy_reward", "fact_exactness", "format_compliance", "answer_words"):
        for suffix in ("", "_base", "_delta", "_ci_low", "_ci_high", "_delta_ci_low", "_delta_ci_high"):
            assert f"eval/{metric}{suffix}" in metrics
        assert f"arms/warm_start/eval/{metric}" in metrics
    assert 0 < metrics["train/prompts_share"] <= 1
    assert {
        "gold/proxy_first",
        "gold/reward_last",
        "gold/divergence",
        "arms/grpo/reward_audit/total/auc/value",
    } <= metrics.keys()
    assert result["verdicts"]["eval/gold_reward"] == "failed"


def test_completions_are_tables_with_every_reward(run: tuple[Path, "subprocess.CompletedProcess[str]"]) -> None:
    import mlflow

    table = pyarrow.parquet.read_table(run[0] / "outputs/here/arms/grpo/completions/completions_00002.parquet")
    assert table.num_rows == 16
    assert {"prompt", "completion", "reference", "format", "facts", "reward", "advantage"} <= set(table.column_names)
    client = mlflow.MlflowClient(f"sqlite:///{run[0]}/outputs/mlflow.db")
    arm = next(r for r in client.search_runs(["1"]) if r.info.run_name == "grpo")
    assert "completions/completions_00002.json" in {a.path for a in client.list_artifacts(arm.info.run_id, "completions")}
    questions = json.loads((run[0] / "outputs/here/evaluation/questions.json").read_text())
    assert {"question", "reference", "completion", "gold_reward", "proxy_reward"} <= questions[0].keys()


def test_a_set_that_pays_anything_fails_its_audit_and_one_that_does_not_passes(trivium: Call) -> None:
    few = ("task=audit", "tracking=none", "reward.audit_prompts=6", "reward.audit_search=40")
    failed = trivium(*few, "reward=format", "hydra.run.dir=a")
    assert failed.returncode == 3
    assert "median genuine answer" in failed.stderr
    passed = trivium(*few, "reward=lightweight", "hydra.run.dir=b")
    assert passed.returncode == 0, passed.stderr
    assert "no attack beats the median genuine answer" in passed.stdout


def test_questions_of_ones_own_take_the_same_road(trivium: Call, tmp_path: Path) -> None:
    rows = [{"instruction": f"How many wells has parish {i}?", "response": f"Parish {i} has {i + 3} wells."} for i in range(40)]
    lines = [json.dumps(row) for row in rows]
    (tmp_path / "own.jsonl").write_text("\n".join([*lines, "{broken", json.dumps({"instruction": "Unanswered?"})]) + "\n")
    done = trivium(*SMALL, "dataset=qa", "dataset.path=own.jsonl", "arms=null", "reward.audit=off", "hydra.run.dir=out")
    assert done.returncode == 0, done.stderr
    assert "not valid JSON" in done.stdout
    report = json.loads((tmp_path / "out/result.json").read_text())["metrics"]
    assert report["data/rejected"] == 1 and report["data/train"] + report["data/heldout"] == 41
