"""A run as a trial of a search: watched, given up, followed by others in one process; and what is left of each."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trivium import pipeline
from trivium.arms import plan
from trivium.compose import hydra_at
from trivium.errors import Pruned
from trivium.overrides import checked
from trivium.result import Result
from trivium.trial import Place

SMALL = (
    "arms=null",
    "tracking=none",
    "model.build.max_steps=30",
    "model.build.facts=60",
    "method.max_steps=6",
    "dataset.world.disputed=12",
    "dataset.world.coordinated_only=8",
    "dataset.world.corrected=8",
    "evaluation.bootstrap_samples=100",
)
FRESH = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_trial import go
go(Path({out!r}), Path({cache!r}), {overrides!r})
"""


class Told:
    """A trial that remembers what it was told, and is given up at a step."""

    audited = False

    def __init__(self, every: int | None = 2, until: int = 99, objective: str = "eval/source_preference") -> None:
        self.objective, self.every, self.until, self.items, self.place = objective, every, until, 6, Place()
        self.runs: list[str | None] = []
        self.reports: list[tuple[int, float]] = []

    def started(self, run_id: str | None) -> None:
        self.runs.append(run_id)

    def report(self, value: float, step: int) -> None:
        self.reports.append((step, value))
        if step >= self.until:
            raise Pruned("worse than the others")


def go(out: Path, cache: Path, overrides: tuple[str, ...], trial: Told | None = None) -> Result:
    """A run in this process."""
    words = [*SMALL, f"cache_dir={cache}", *overrides]
    with hydra_at():
        config = checked(words)
        arms = plan(config, words, checked)
    return pipeline.run(config, arms, out, "trial", trial)


def result_of(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return value


def lines(folder: Path, name: str) -> list[tuple[int | None, float]]:
    """Every value of a metric in `metrics.jsonl`, with its step."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(row["step"], row["metrics"][name]) for row in rows if name in row.get("metrics", {})]


def measured(metrics: dict[str, float]) -> dict[str, float]:
    """What must be the same whenever it is measured."""
    return {k: v for k, v in metrics.items() if k.startswith(("eval/", "band/", "train/", "weights/", "eval_"))}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def plain(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The run that is no trial."""
    folder = tmp_path_factory.mktemp("plain")
    return folder, go(folder, cache, ("loss.alpha=1",))


def test_a_trial_finds_what_the_run_finds_and_reports_on_the_way(
    plain: tuple[Path, Result], cache: Path, tmp_path: Path
) -> None:
    trial = Told()
    result = go(tmp_path, cache, ("loss.alpha=1",), trial)
    assert trial.runs == [None] and [step for step, _ in trial.reports] == [2, 4]
    assert measured(result.metrics) == measured(plain[1].metrics)
    weights = [(folder / "adapter" / "adapter_model.safetensors").read_bytes() for folder in (plain[0], tmp_path)]
    assert weights[0] == weights[1]
    assert lines(tmp_path, "trial/estimate") == trial.reports
    assert (result.metrics["trial/step"], result.metrics["trial/estimate"]) == trial.reports[-1]
    assert any(name.startswith("loss_audit/") for name in plain[1].metrics)
    assert not any(name.startswith("loss_audit/") for name in result.metrics), "the audit is for the runs that count"


def test_a_trial_that_is_given_up_keeps_what_it_found(cache: Path, tmp_path: Path) -> None:
    trial = Told(until=4)
    with pytest.raises(Pruned, match="worse than the others"):
        go(tmp_path, cache, ("loss.alpha=0.5", "method.save_steps=1"), trial)
    result = result_of(tmp_path)
    assert (result["status"], result["error"]) == ("pruned", "worse than the others")
    assert [stage["status"] for stage in result["stages"].values()] == ["skipped", "reused", "pruned"]
    assert result["metrics"]["data/train"] > 0
    assert (result["metrics"]["trial/step"], result["metrics"]["trial/estimate"]) == trial.reports[-1]
    assert not any(name.startswith("eval/") for name in result["metrics"])
    assert lines(tmp_path, "trial/estimate") == trial.reports and len(trial.reports) == 2
    assert {path.name for path in tmp_path.iterdir()} <= {
        ".lock",
        "config.resolved.yaml",
        "environment.json",
        "inputs.json",
        "metrics.jsonl",
        "result.json",
        "run.log",
    }


def test_without_an_interval_nothing_is_estimated(cache: Path, tmp_path: Path) -> None:
    trial = Told(every=None)
    result = go(tmp_path, cache, ("loss.alpha=0.5", "method.max_steps=2"), trial)
    assert result.status == "ok" and "eval/source_preference" in result.metrics
    assert trial.reports == [] and not lines(tmp_path, "trial/estimate")


def test_only_the_main_arm_is_watched(cache: Path, tmp_path: Path) -> None:
    trial = Told(every=3)
    go(tmp_path, cache, ("arms={uniform:['loss=uniform'],distrust:[]}",), trial)
    assert [step for step, _ in trial.reports] == [3]
    assert lines(tmp_path, "trial/estimate") == trial.reports


def test_a_perplexity_can_be_the_objective_and_is_estimated_near_its_end(cache: Path, tmp_path: Path) -> None:
    trial = Told(objective="band/high/ppl")
    metrics = go(tmp_path, cache, (), trial).metrics
    assert len(trial.reports) == 2
    assert trial.reports[-1][1] == pytest.approx(metrics["band/high/ppl"], rel=0.5)


def fresh(out: Path, cache: Path, overrides: tuple[str, ...]) -> dict[str, float]:
    """The metrics of a run in a process of its own."""
    code = FRESH.format(tests=str(Path(__file__).parent), out=str(out), cache=str(cache), overrides=overrides)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return measured(result_of(out)["metrics"])


SECOND = {
    "alpha": ("loss.alpha=5",),
    "dtype": ("hardware.dtype=float32", "loss.alpha=5"),
    "rewards": (
        "experiment=coherence",
        "arms=null",
        "reward=lightweight",
        "~evaluation.scores.entailment",
        "method.max_steps=3",
        "method.max_completion_length=24",
        "method.total_batch_size=8",
        "method.num_generations=4",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.long if kind == "rewards" else ()) for kind in SECOND])
def test_a_trial_after_others_finds_what_it_finds_alone(
    plain: tuple[Path, Result], cache: Path, tmp_path: Path, kind: str
) -> None:
    before: dict[str, tuple[str, ...]] = {"dtype": ("hardware.dtype=bfloat16",)}
    with pytest.raises(Pruned):
        go(tmp_path / "given_up", cache, before.get(kind, ("loss.alpha=0.1",)), Told(until=2))
    second = go(tmp_path / "second", cache, SECOND[kind], Told())
    assert measured(second.metrics) == fresh(tmp_path / "alone", cache, SECOND[kind])
    if kind == "alpha":
        assert measured(second.metrics) != measured(plain[1].metrics)
