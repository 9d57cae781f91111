"""What mattered, on studies where that is known."""

import optuna
import pytest
from studies import SPACE, random_study

from trivium.sweep.report.importance import TooLittle, importance, sentence


def test_the_parameter_that_decides_stands_out_and_the_others_reach_zero() -> None:
    found = importance(random_study(40, lambda p, rng: p["adapter.r"] / 64 + rng.uniform(0, 0.05)), SPACE)
    assert next(iter(found)) == "adapter.r"
    assert found["adapter.r"].low > 0.3
    assert found["loss.alpha"].low < 0.01
    assert found["loss"].low < 0.01
    assert sentence("eval/x", found).startswith("adapter.r surely matters to eval/x")


def test_a_category_that_decides_stands_out() -> None:
    found = importance(random_study(60, lambda p, rng: (p["loss"] == "distrust") + rng.uniform(0, 0.2)), SPACE)
    assert next(iter(found)) == "loss"
    assert found["loss"].low > 0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_where_nothing_matters_every_interval_reaches_zero(seed: int) -> None:
    found = importance(random_study(24, lambda _, rng: rng.random(), seed), SPACE)
    assert all(share.low < 0.01 for share in found.values())
    assert sentence("eval/x", found).startswith("No parameter surely matters")


def test_the_direction_does_not_change_what_matters() -> None:
    up = random_study(30, lambda p, _: p["adapter.r"])
    down = optuna.create_study(direction="minimize")
    for one in up.trials:
        one.values = [-one.values[0]]
        down.add_trial(one)
    assert importance(up, SPACE, resamples=20) == importance(down, SPACE, resamples=20)


def test_of_several_objectives_each_has_its_own() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"])
    for one in random_study(40, lambda p, _: p["adapter.r"]).trials:
        one.values = [one.params["adapter.r"], one.params["loss.alpha"]]
        study.add_trial(one)
    assert next(iter(importance(study, SPACE, 0, 20))) == "adapter.r"
    assert next(iter(importance(study, SPACE, 1, 20))) == "loss.alpha"


def test_noise_is_not_printed() -> None:
    with pytest.raises(TooLittle, match="7 complete trials"):
        importance(random_study(7, lambda _, rng: rng.random()), SPACE)
    with pytest.raises(TooLittle, match="same value"):
        importance(random_study(12, lambda *_: 0.5), SPACE)
    with pytest.raises(TooLittle, match="single parameter"):
        importance(random_study(12, lambda _, rng: rng.random()), {"adapter.r": SPACE["adapter.r"]})
