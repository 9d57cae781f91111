"""Runs that are killed and called again: nothing is lost, nothing is said twice, nothing half-written is left."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.killing import Killed

from trivium.arms import plan
from trivium.artifact import file_hash
from trivium.schema import Config

SFT = (
    "experiment=none",
    "loss=distrust",
    "dataset.world.disputed=12",
    "dataset.world.coordinated_only=8",
    "dataset.world.corrected=8",
    "model.max_length=64",
    "adapter.r=4",
    "adapter.lora_dropout=0.1",
    "method.total_batch_size=4",
    "method.logging_steps=1",
    "method.save_steps=2",
    "evaluation=none",
)


@pytest.fixture
def killed(random_model: Path, tmp_path: Path, config_of: Callable[..., Config]) -> Callable[..., Killed]:
    """A run with these words; all of a test share data, base model and the database of MLflow."""

    def make(name: str, *words: str, seed: int = 0) -> Killed:
        shared = [f"model.path={random_model}", f"cache_dir={tmp_path / 'cache'}"]
        tracked = [f"tracking.uri=sqlite:///{tmp_path}/mlflow.db", f"tracking.experiment={name}"]
        everything = [*words, *shared, *tracked]
        config = config_of(*everything)
        arms = plan(config, everything, lambda changed: config_of(*changed))
        return Killed(config, arms, tmp_path / name, random.Random(seed))

    return make


TIMES = ("system/", "plan/", "tokens_per_second", "step_time")
"""Metrics that no two runs share."""


def recorded(run: Killed) -> list[dict[str, Any]]:
    """What MLflow has of an experiment, run by run: its arm, status, parameters and curves."""
    import mlflow

    client = mlflow.MlflowClient(run.config.tracking.uri)
    experiment = client.get_experiment_by_name(run.out.name)
    found = []
    for one in client.search_runs([experiment.experiment_id]):
        names = [name for name in one.data.metrics if not name.startswith(TIMES)]
        curves = {name: [(m.step, m.value) for m in client.get_metric_history(one.info.run_id, name)] for name in names}
        found.append(
            {
                "arm": one.data.tags.get("arm"),
                "status": (one.info.status, one.data.tags["status"]),
                "params": {k: v for k, v in one.data.params.items() if not k.startswith("tracking.")},
                "curves": {name: sorted(curve) for name, curve in curves.items()},
            }
        )
    return sorted(found, key=lambda one: str(one["arm"]))


def weights(run: Killed) -> dict[str, str]:
    return {str(p.relative_to(run.out)): file_hash(p) for p in run.out.rglob("adapter/adapter_model.safetensors")}


def leftovers(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob(".*") if path.name not in (".lock", ".hydra")]


def as_if_never_killed(run: Killed, whole: Killed) -> None:
    assert run.finish() == 0, (run.out.parent / "log").read_text()
    assert weights(run) == weights(whole) != {}
    for one, other in zip(recorded(run), recorded(whole), strict=True):
        assert one.pop("curves") == other.pop("curves")
        assert one == other
    assert {one["status"] for one in recorded(run)} == {("FINISHED", "ok")}
    for arm in ("", *(f"arms/{path.name}" for path in run.out.glob("arms/*"))):
        assert run.steps(arm) == whole.steps(arm)
    assert leftovers(run.out) == []
    assert json.loads((run.out / "result.json").read_text())["status"] == "ok"


@pytest.mark.slow
def test_three_kills_lose_nothing(killed: Callable[..., Killed], tmp_path: Path) -> None:
    """Two arms; killed while the first writes a checkpoint, while either trains, and anywhere."""
    words = (*SFT, "method.max_steps=12", "arms={uniform: ['loss=uniform']}")
    whole, run = killed("whole", *words), killed("killed", *words)
    assert whole.finish() == 0, (tmp_path / "log").read_text()
    for when in ("writing", "training", "anywhere"):
        run.kill(when)
    as_if_never_killed(run, whole)
    assert run.kills[:2] == ["writing", "training"]


GRPO = (
    "experiment=none",
    "method=grpo",
    "loss=uniform",
    "dataset=micro_qa",
    "reward=format",
    "reward.audit=off",
    "model.max_length=256",
    "adapter.r=4",
    "method.num_generations=2",
    "method.total_batch_size=4",
    "method.max_completion_length=8",
    "method.learning_rate=1e-3",
    "method.beta=0.05",
    "method.gold_steps=0",
    "method.warm_start.max_steps=0",
    "method.completions_steps=5",
    "method.save_steps=2",
    "evaluation=none",
    "alerts=off",
)
BEST = ("method.max_steps=300", "method.eval_steps=10", "method.metric_for_best_model=eval_nll")


@pytest.mark.long
@pytest.mark.parametrize("words", [(*SFT, *BEST), (*GRPO, "method.max_steps=120")], ids=["sft", "grpo"])
def test_twenty_kills_lose_nothing(killed: Callable[..., Killed], words: tuple[str, ...]) -> None:
    whole, run = killed("whole", *words), killed("killed", *words, seed=1)
    assert whole.finish() == 0, (whole.out.parent / "log").read_text()
    for i in range(20):
        assert run.kill(("writing", "training", "anywhere")[i % 3]), "it was to be killed twenty times before its end"
        print(f"kill {i + 1}: {run.kills[-1]}, after step {max(run.steps(), default=0)}")
    as_if_never_killed(run, whole)
