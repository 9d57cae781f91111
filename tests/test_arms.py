from collections.abc import Callable

import pytest

from trivium.arms import plan
from trivium.errors import ConfigError
from trivium.overrides import checked, for_arm
from trivium.schema import Config

ConfigOf = Callable[..., Config]


def arms_of(config_of: ConfigOf, *overrides: str) -> dict[str, bool]:
    return {arm.name: arm.main for arm in plan(config_of(*overrides), list(overrides), checked)}


def test_the_main_arm_is_the_one_that_equals_the_experiment(config_of: ConfigOf) -> None:
    assert arms_of(config_of) == {"uniform": False, "published": False, "shuffled": False, "distrust": True}
    assert arms_of(config_of, "loss=uniform") == {"uniform": True, "published": False, "shuffled": False, "distrust": False}


def test_an_experiment_that_no_arm_equals_is_added(config_of: ConfigOf) -> None:
    assert arms_of(config_of, "loss=distrust_sampled")["distrust_sampled"]


def test_without_arms_there_is_one_run(config_of: ConfigOf) -> None:
    assert arms_of(config_of, "arms=null") == {"distrust": True}


def test_values_follow_into_the_arms_that_have_them(config_of: ConfigOf) -> None:
    overrides = ["loss.alpha=1.5", "seed=3"]
    arms = {arm.name: arm.config for arm in plan(config_of(*overrides), overrides, checked)}
    assert [arms[name].loss.alpha for name in ("published", "shuffled", "distrust")] == [1.5, 1.5, 1.5]
    assert arms["uniform"].loss.name == "uniform"
    assert {config.seed for config in arms.values()} == {3}
    assert arms["shuffled"].dataset.provenance.shuffle


def test_an_arms_choice_replaces_the_users() -> None:
    assert for_arm(["loss=distrust", "loss.unit=nats", "seed=1"], ["loss=uniform"]) == ["seed=1", "loss=uniform"]


def test_a_wrong_arm_is_named(config_of: ConfigOf) -> None:
    overrides = ["arms.odd=['loss.alhpa=1']"]
    with pytest.raises(ConfigError, match=r"arms\.odd: loss\.alhpa"):
        plan(config_of(*overrides), overrides, checked)
