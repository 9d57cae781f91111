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


# --- arms that start from one another --------------------------------------------------------------------------------


def planned(config_of: ConfigOf, starts: str, **arms: str) -> list[str]:
    """The problems of an experiment that starts from one arm, and of arms that start from others; each has its own seed."""
    overrides = ["experiment=none", "dataset=micro_library", "loss=uniform", "evaluation=none", f"starts_from={starts}"]
    overrides += [f"+arms.{name}=['starts_from={start}','seed={i}']" for i, (name, start) in enumerate(arms.items())]
    try:
        plan(config_of(*overrides), overrides, checked)
    except ConfigError as error:
        return error.problems
    return []


def test_the_shipped_chain_is_planned(config_of: ConfigOf) -> None:
    overrides = ["experiment=period_then_persona"]
    found = {arm.name: arm for arm in plan(config_of(*overrides), overrides, checked)}
    assert [name for name, arm in found.items() if arm.main] == ["persona"]
    assert {name: arm.config.starts_from for name, arm in found.items() if name != "persona_alone"} == {
        "period": None,
        "persona": "period",
    }


def test_chains_may_be_long_and_branch(config_of: ConfigOf) -> None:
    assert planned(config_of, "null", a="b", b="c", c="null", d="c") == []
    assert planned(config_of, "a", a="b", b="null") == []


def test_a_start_that_is_no_arm_is_named_once_with_those_there_are(config_of: ConfigOf) -> None:
    assert planned(config_of, "null", a="b", b="zzz") == [
        "arms.b: starts_from=zzz is no arm; the other arms are: a; give one of them, or null for the base model."
    ]
    (alone,) = planned(config_of, "nosuch")
    assert alone.startswith("starts_from=nosuch is no arm; the other arms are: none")


@pytest.mark.parametrize("starts", ["null", "a"])
def test_a_start_that_leads_back_to_itself_is_named(config_of: ConfigOf, starts: str) -> None:
    own = [] if starts == "null" else ["starts_from=a leads back"]
    for arms in ({"a": "a"}, {"a": "b", "b": "a"}, {"a": "b", "b": "c", "c": "b"}):
        wanted = [f"arms.{name}: starts_from={start} leads back" for name, start in arms.items()] + own
        problems = planned(config_of, starts, **arms)
        assert [problem.split(" to itself")[0] for problem in problems] == wanted
