from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml

from trivium.check import bind
from trivium.compose import hydra_at
from trivium.errors import ConfigError
from trivium.schema import Config, MlflowTracking
from trivium.serving.settings import take_up


@pytest.fixture(autouse=True)
def hydra() -> Iterator[None]:
    with hydra_at():
        yield


def settings(run: Path) -> Config:
    return bind(yaml.safe_load((run / "config.resolved.yaml").read_text()))


def rewrite(run: Path, **values: object) -> None:
    path = run / "config.resolved.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **values}))


def test_all_is_as_it_was_but_what_is_asked_for(run: Path) -> None:
    config = take_up(run, ["export=[gguf,mlx]", "export.gguf.types=[f16]", "serve.port=0", "task=serve"])
    assert config.export.gguf.enabled and config.export.mlx.enabled and not config.export.merged.enabled
    assert config.export.gguf.types == ["f16"] and config.serve.port == 0
    assert (config.task, config.from_run, config.arms) == ("serve", str(run), None)
    before = settings(run)
    same = replace(before, export=config.export, serve=config.serve, task="serve", stages=["export"], arms=None)
    assert config == replace(same, from_run=str(run))
    assert before.adapter.r == 4 == config.adapter.r


def test_a_value_alone_is_laid_over_what_the_run_had(run: Path) -> None:
    rewrite(run, hardware={**asdict(settings(run).hardware), "eval_batch_tokens": 333})
    assert take_up(run, ["task=chat"]).hardware.eval_batch_tokens == 333
    config = take_up(run, ["task=chat", "hardware.dtype=bfloat16"])
    assert (config.hardware.dtype, config.hardware.eval_batch_tokens) == ("bfloat16", 333)
    assert take_up(run, ["task=chat", "hardware=cuda_24gb"]).hardware.eval_batch_tokens == 16384
    assert isinstance(take_up(run, ["task=chat", "tracking=mlflow"]).tracking, MlflowTracking)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["loss.alpha=2", "task=chat"], "loss.alpha: a run that is taken up"),
        (["+adapter.r=4", "task=chat"], "adapter.r: a run that is taken up"),
        (["experiment=coherence", "task=chat"], "experiment: a run that is taken up"),
        (["hydra.run.dir=x", "task=chat"], "hydra.run.dir: a run that is taken up"),
        (["talk.temprature=1", "task=chat"], "did you mean `temperature`"),
        (["talk.temperature=-1", "task=chat"], "talk.temperature"),
        (["serve=lama_cpp", "task=serve"], "did you mean `llama_cpp`"),
        ([], "export: nothing is chosen"),
        (["stages=[train,export]", "export=gguf"], "can only be exported"),
        (["task=audit"], "leave from_run out"),
    ],
)
def test_what_cannot_be_changed_is_named(run: Path, words: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        take_up(run, words)
    assert said in str(caught.value)
    assert "another version" not in str(caught.value)


def test_settings_of_another_version_are_said_to_be(run: Path) -> None:
    rewrite(run, colour="blue")
    with pytest.raises(ConfigError, match=r"(?s)from_run: colour: no such key.*written by another version of Trivium"):
        take_up(run, ["task=chat"])


def test_data_that_are_gone_do_not_matter_but_a_model_does(run: Path) -> None:
    before = asdict(settings(run))
    rewrite(run, dataset={**before["dataset"], "path": "/gone", "generator": None})
    assert take_up(run, ["task=chat"]).dataset.path == "/gone"
    rewrite(run, model={**before["model"], "path": "/gone"})
    with pytest.raises(ConfigError, match="/gone is not a directory"):
        take_up(run, ["task=chat"])


def test_an_arm_is_taken_up_as_it_was_composed(run: Path) -> None:
    arm = take_up(run / "arms" / "uniform", ["task=chat"])
    assert arm.loss.name == "uniform" and arm.adapter.r == 4 and arm.from_run == str(run / "arms" / "uniform")
    with pytest.raises(ConfigError, match="is a control arm"):
        take_up(run / "arms" / "uniform", ["export=gguf"])
    rewrite(run, seed=5)
    with pytest.raises(ConfigError, match="was composed from other option files"):
        take_up(run / "arms" / "uniform", ["task=chat"])
