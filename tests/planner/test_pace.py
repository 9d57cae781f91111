"""Time by what earlier runs did, in a real MLflow database."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from trivium.planner.anatomy import anatomy
from trivium.planner.pace import COST, MISS, RATE, Pace, earlier_runs, flops_per_token, pace
from trivium.schema import Config, FullAdapter, LoraAdapter, MlflowTracking, NoneConfig
from trivium.summary import flatten
from trivium.tracking import store
from trivium.tracking.outbox import param_rows

COST_NOW = 1000.0


def configured(folder: Path, model: str = "tiny", machine: str = "cpu") -> Config:
    config = Config(tracking=MlflowTracking(uri=f"sqlite:///{folder}/mlflow.db"))
    config.model = replace(config.model, name=model)
    config.hardware = replace(config.hardware, name=machine)
    return config


def ran(config: Config, rate: float, cost: float, miss: float | None = None) -> None:
    """An earlier run, as a run records itself."""
    with store.answering(config.tracking) as found:
        run = found.client.create_run(found.experiment_id)
        found.client.log_batch(run.info.run_id, params=param_rows(flatten(asdict(config))))
        measures = {RATE: rate, COST: cost} | ({} if miss is None else {MISS: miss})
        for name, value in measures.items():
            found.client.log_metric(run.info.run_id, name, value)
        found.client.set_terminated(run.info.run_id)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with runs of one model on one machine, of another model, and of another machine."""
    place = tmp_path_factory.mktemp("store")
    for rate, miss in ((100.0, None), (120.0, -0.1), (110.0, 0.2)):
        ran(configured(place), rate, COST_NOW, miss)
    ran(configured(place, model="large"), 10.0, 10 * COST_NOW, 0.5)
    ran(configured(place, machine="cuda_24gb"), 5000.0, COST_NOW, 3.0)
    return place


def told(config: Config, cost: float = COST_NOW) -> Pace:
    return pace(config, cost, earlier_runs(config))


def test_runs_of_the_same_model_on_the_same_machine_tell_the_pace(folder: Path) -> None:
    found = told(configured(folder))
    assert found.tokens_per_second == pytest.approx(110)
    assert found.basis == "3 earlier runs of this model on this machine"


def test_a_costlier_training_of_the_same_model_is_slower(folder: Path) -> None:
    assert told(configured(folder), 2 * COST_NOW).tokens_per_second == pytest.approx(55)


def test_other_models_count_by_their_operations(folder: Path) -> None:
    found = told(configured(folder, model="new"), COST_NOW / 2)
    assert found.tokens_per_second == pytest.approx(210)  # the median of 2 × (100, 120, 110) and of 10 × 20
    assert "other models" in found.basis


def test_other_machines_tell_nothing(folder: Path) -> None:
    assert told(configured(folder, machine="cuda_80gb")).tokens_per_second is None
    assert told(configured(folder, machine="cuda_24gb")).tokens_per_second == pytest.approx(5000)


def test_how_wrong_earlier_forecasts_were_is_told(folder: Path) -> None:
    assert sorted(told(configured(folder)).misses) == [-0.1, 0.2, 0.5]
    assert told(configured(folder)).missed() == "3 earlier forecasts were off by +20% (-10% … +50%)"
    assert Pace(1.0, "").missed() == ""


def test_a_pace_that_is_set_needs_no_runs(folder: Path) -> None:
    config = configured(folder)
    config.plan = replace(config.plan, tokens_per_second=7.0)
    assert earlier_runs(config) == []
    assert told(config) == Pace(7.0, "plan.tokens_per_second")


def test_looking_makes_no_store(tmp_path: Path) -> None:
    config = configured(tmp_path / "none")
    assert told(config).tokens_per_second is None and "no earlier run" in told(config).basis
    assert not (tmp_path / "none").exists()
    assert told(replace(config, tracking=NoneConfig())).tokens_per_second is None


def test_looking_makes_no_experiment(folder: Path) -> None:
    config = configured(folder)
    config.tracking.experiment = "of nobody"
    assert earlier_runs(config) == []
    with store.answering(configured(folder).tracking) as found:
        assert found.client.get_experiment_by_name("of nobody") is None


def test_a_broken_store_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 200)
    assert earlier_runs(configured(tmp_path)) == []


def test_operations_count_what_trains_and_what_is_done_again() -> None:
    config = Config(adapter=LoraAdapter())
    model = anatomy(config.model)
    lora, full = (flops_per_token(model, replace(config, adapter=a), 0) for a in (LoraAdapter(), FullAdapter()))
    assert full == pytest.approx(6 * model.parameters) and lora == pytest.approx(4 * model.parameters)
    config.hardware = replace(config.hardware, gradient_checkpointing=True)
    assert flops_per_token(model, config, 0) == pytest.approx(6 * model.parameters)
