"""Folders that were used before: what goes on, what is refused and says why, what is kept beside."""

import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from trivium import drift, summary
from trivium.arms import Arm
from trivium.artifact import MANIFEST, write_json
from trivium.errors import ConfigError
from trivium.result import Result
from trivium.schema import Config, EvaluationConfig, GrpoMethod, OpenAIGenerator, UniformLoss
from trivium.tracking.mlflow import NOTE

Of = Callable[..., Config]


def begin(out: Path, config: Config, arms: tuple[Arm, ...] = ()) -> None:
    """What an interrupted training leaves."""
    summary.write_config(config, out)
    Result("run", "run", "failed").write(out)
    write_json(out / NOTE, {"run_id": "a" * 32})
    (out / "metrics.jsonl").write_text("{}\n")
    write_json(out / "checkpoints" / "checkpoint-4" / "complete.json", {})
    for arm in arms:
        summary.write_config(arm.config, out / "arms" / arm.name)


def finish(out: Path) -> None:
    """As if it had come to its end."""
    write_json(out / "adapter" / MANIFEST, {})
    Result("run", "run", "ok").write(out)


def listed(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_new_folder_and_one_with_the_same_settings_go_on_without_a_word(tmp_path: Path) -> None:
    assert drift.settle(Config(), [], tmp_path) == {}
    begin(tmp_path, Config())
    before = listed(tmp_path)
    assert drift.settle(Config(), [], tmp_path) == {}
    assert listed(tmp_path) == before


def test_every_key_that_differs_is_listed_with_the_ways_out(tmp_path: Path) -> None:
    begin(tmp_path, Config())
    other = Config(seed=7, loss=UniformLoss())
    other.method.learning_rate, other.dataset.test_size = 0.5, 0.25
    other.method.logging_steps, other.alerts.enabled, other.plan.gate, other.hardware.throttle = 3, False, "off", 0.5
    with pytest.raises(ConfigError) as caught:
        drift.settle(other, [], tmp_path)
    first, *keys = caught.value.problems
    assert "set them back" in first and "another hydra.run.dir" in first and "fork=true" in first
    assert {"seed: 0 → 7", "method.learning_rate: 0.0002 → 0.5", "loss.name: distrust → uniform"} <= set(keys)
    assert "loss.alpha: 2.7 → not there" in keys
    told = {key.split(":")[0] for key in keys}
    assert not told & {"method.logging_steps", "alerts.enabled", "plan.gate", "hardware.throttle"}
    assert any(re.fullmatch(r"dataset\.test_size: [0-9.]+ → 0\.25", key) for key in keys)
    assert not (tmp_path / drift.BEFORE).exists()


WATCHING: dict[str, Callable[[Config], object]] = {
    "logging": lambda c: setattr(c.method, "logging_steps", 3),
    "saving": lambda c: setattr(c.method, "save_steps", 3),
    "keeping": lambda c: setattr(c.method, "save_total_limit", 5),
    "evaluating": lambda c: setattr(c.method, "eval_steps", 5),
    "throttle": lambda c: setattr(c.hardware, "throttle", 0.2),
    "memory": lambda c: setattr(c.hardware, "memory_limit_gb", 20.0),
    "alerts": lambda c: setattr(c.alerts, "patience", 9),
    "plan": lambda c: setattr(c.plan, "gate", "strict"),
    "uri": lambda c: setattr(c.tracking, "uri", "sqlite:///elsewhere.db"),
    "gate": lambda c: setattr(c.dataset, "gate", "strict"),
    "suites": lambda c: setattr(c.evaluation, "suites", []),
    "teacher": lambda c: setattr(c, "generator", OpenAIGenerator()),
}


@pytest.mark.parametrize("name", WATCHING)
def test_what_only_watches_may_differ(tmp_path: Path, name: str) -> None:
    begin(tmp_path, Config())
    other = Config()
    WATCHING[name](other)
    tags = drift.settle(other, [], tmp_path)
    assert set(tags) <= {"param_drift"}
    assert listed(tmp_path) == sorted(
        ["checkpoints/checkpoint-4/complete.json", "config.resolved.yaml", "metrics.jsonl", NOTE, "result.json"]
    )


def test_what_differs_though_it_may_is_told_in_a_tag(tmp_path: Path) -> None:
    begin(tmp_path, Config())
    other = Config()
    other.method.logging_steps, other.stages, other.cache_dir = 3, ["prepare", "train"], "elsewhere"
    assert drift.settle(other, [], tmp_path) == {"param_drift": "method.logging_steps: 10 → 3"}


def test_the_steps_between_evaluations_count_where_the_best_weights_are_picked(tmp_path: Path) -> None:
    config = Config()
    config.method.eval_steps, config.method.metric_for_best_model = 5, "eval_nll"
    begin(tmp_path, config)
    config.method.eval_steps = 10
    with pytest.raises(ConfigError, match=r"method\.eval_steps: 5 → 10"):
        drift.settle(config, [], tmp_path)


def test_watching_a_policy_may_differ_and_its_rewards_may_not(tmp_path: Path) -> None:
    config = Config(method=GrpoMethod(), loss=UniformLoss())
    config.reward.terms = {"format": {"fn": "structure.format", "weight": 1.0}}
    begin(tmp_path, config)
    config.method.gold_steps, config.method.completions_steps, config.reward.audit = 0, 5, "off"
    assert set(drift.settle(config, [], tmp_path)) == {"param_drift"}
    config.reward.terms = {"format": {"fn": "structure.format", "weight": 2.0}}
    with pytest.raises(ConfigError, match=r"reward\.terms\.format\.weight: 1\.0 → 2\.0"):
        drift.settle(config, [], tmp_path)


def test_a_fork_keeps_what_is_there_as_a_run_of_its_own(tmp_path: Path) -> None:
    begin(tmp_path, Config())
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".lock").touch()
    before = listed(tmp_path / "checkpoints")
    forked = Config(seed=1, fork=True)
    assert drift.settle(forked, [], tmp_path) == {"forked_from": "a" * 32, "param_drift": "seed: 0 → 1"}
    kept = tmp_path / "before" / "1"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hydra", ".lock", "before"]
    assert drift.settle(Config(), [], kept) == {}, "the same settings go on in what was kept"
    assert listed(kept / "checkpoints") == before
    begin(tmp_path, forked)
    assert drift.settle(forked, [], tmp_path) == {}, "the same command goes on with the fork"
    assert drift.settle(replace(forked, seed=2), [], tmp_path)["param_drift"] == "seed: 1 → 2"
    assert sorted(path.name for path in (tmp_path / "before").iterdir()) == ["1", "2"]


def test_a_fork_without_other_settings_trains_anew(tmp_path: Path) -> None:
    """As after data that were changed, which no setting tells."""
    begin(tmp_path, Config())
    assert drift.settle(Config(fork=True), [], tmp_path) == {"forked_from": "a" * 32}
    assert not (tmp_path / "checkpoints").exists()


def test_a_kill_while_it_forks_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    begin(tmp_path, Config())
    whole, replace_file, left = listed(tmp_path), os.replace, [2]

    def killed(source: Any, place: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        replace_file(source, place)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        drift.settle(Config(seed=1, fork=True), [], tmp_path)
    monkeypatch.undo()
    with pytest.raises(ConfigError):
        drift.settle(Config(seed=1), [], tmp_path)
    drift.settle(Config(seed=1, fork=True), [], tmp_path)
    assert listed(tmp_path / "before" / "1") == whole


def test_an_arm_that_was_changed_is_named(tmp_path: Path) -> None:
    main = Arm("distrust", Config(), True)
    begin(tmp_path, Config(), (main, Arm("uniform", Config(loss=UniformLoss()), False)))
    write_json(tmp_path / "arms" / "uniform" / "adapter" / MANIFEST, {})
    changed = Arm("uniform", Config(loss=UniformLoss(), seed=3), False)
    with pytest.raises(ConfigError, match=r"arms\.uniform: seed: 0 → 3"):
        drift.settle(Config(), [main, changed], tmp_path)


def test_without_anything_to_lose_nothing_is_refused(tmp_path: Path) -> None:
    """Interrupted before the first checkpoint: other settings begin anew, and the old lines are not taken for theirs."""
    summary.write_config(Config(), tmp_path)
    (tmp_path / "metrics.jsonl").write_text("{}\n")
    assert drift.settle(Config(seed=1), [], tmp_path) == {}
    assert listed(tmp_path) == ["before/1/config.resolved.yaml", "before/1/metrics.jsonl"]


def test_a_finished_run_that_is_measured_in_another_way_is_another_run_of_mlflow(tmp_path: Path) -> None:
    begin(tmp_path, Config())
    finish(tmp_path)
    assert drift.settle(Config(stages=["prepare", "train", "evaluate", "export"]), [], tmp_path) == {}
    assert (tmp_path / NOTE).is_file()
    assert drift.settle(Config(evaluation=EvaluationConfig(suites=[])), [], tmp_path) == {}
    assert not (tmp_path / NOTE).exists()


def test_settings_of_another_version_are_refused_or_kept_beside_a_fork(tmp_path: Path) -> None:
    begin(tmp_path, Config())
    path = tmp_path / "config.resolved.yaml"
    path.write_text(yaml.safe_dump({**asdict(Config()), "gone": 1}))
    with pytest.raises(ConfigError, match=r"another version of Trivium \(gone: no such key"):
        drift.settle(Config(), [], tmp_path)
    drift.settle(Config(fork=True), [], tmp_path)
    assert (tmp_path / "before" / "1" / "checkpoints").is_dir()
