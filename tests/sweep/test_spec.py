"""The study that a command line asks for, and everything that can be wrong with it."""

from pathlib import Path
from typing import Any

import pytest

from trivium.errors import ConfigError
from trivium.schema import SweepConfig
from trivium.sweep import spec


def test_a_study_is_read_as_it_was_written(bench: Any) -> None:
    planned = bench.plan("method.learning_rate=tag(log, interval(1e-4, 1e-2))", "sweep.n_trials=5")
    planned.write()
    assert spec.load(planned.folder) == planned
    assert planned.study == planned.sweep.name == "alpha"
    assert planned.experiment == "distrust"
    assert planned.sweep.params == {
        "loss.alpha": "interval(0, 8)",
        "method.learning_rate": "tag(log, interval(1e-4, 1e-2))",
    }
    assert not any("interval" in word for word in planned.fixed)


def test_what_the_command_line_sweeps_replaces_the_options_words(bench: Any) -> None:
    assert bench.plan("loss.alpha=interval(0, 2)").sweep.params == {"loss.alpha": "interval(0, 2)"}


def test_what_the_command_line_fixes_is_not_searched(bench: Any) -> None:
    planned = bench.plan("loss.alpha=2", "adapter.r=2,4", "sweep.study=mine")
    assert planned.study == "mine"
    assert planned.sweep.params == {"adapter.r": "2,4"}
    assert "loss.alpha=2" in planned.fixed


def test_the_sweep_ends_when_its_time_is_over() -> None:
    planned = changed({"timeout": 60}, {})
    assert planned.until == planned.started + 60
    assert changed({}, {}).until == float("inf")


def test_all_problems_of_a_space_are_told_together(bench: Any) -> None:
    problems = bench.problems(
        "+loss.alfa=interval(0, 1)",
        "adapter.r=choice(8, 0)",
        "reward=choice(none, lightwait)",
        "method.max_steps=interval(9, 3)",
        "sweep.points=[{loss.alpha: 9}]",
        "sweep.storage=sqlit",
    )
    told = "\n".join(problems)
    assert "sweep.params.method.max_steps: set to interval(9, 3); its low end 9 is not below its high end 3" in told
    assert "loss.alfa: no such key; did you mean `alpha`?" in told
    assert "sweep.params: adapter.r: set to 0" in told
    assert "reward=lightwait: no such option; did you mean `lightweight`?" in told
    assert "sweep.points[0]: loss.alpha=9 lies outside of" in told
    assert "sweep.storage: set to 'sqlit'" in told
    assert len(problems) == len(set(problems))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["loss.alpha=1"], ["sweep.params: empty, so there is nothing to search; add key: interval(low, high)"]),
        (
            ["sweep.sampler=grid", "sweep.repeats=2", "seed=1,2,3", "sweep.workers=3", "sweep.gpus=[0,1]"],
            [
                "sweep.params.loss.alpha: a grid needs values, not an interval; give choice",
                "sweep.params.seed: sweep.repeats trains with several seeds already",
                "sweep.workers=3 share nothing, and sweep.gpus names 2; name one GPU for each",
            ],
        ),
        (["sweep.gpus=[0,1,0]", "sweep.workers=3"], ["sweep.gpus=[0, 1, 0]: a GPU stands here twice; name each once"]),
        (
            ["evaluation.seed=1,2", "stages=[prepare,train]"],
            [
                "sweep.params.evaluation.seed: changes what is measured",
                "stages=[prepare, train]: a trial prepares, trains and evaluates; leave stages out",
            ],
        ),
    ],
)
def test_what_cannot_be_searched_is_told(bench: Any, words: list[str], told: list[str]) -> None:
    problems = bench.problems(*words)
    assert all(any(problem.startswith(words) for problem in problems) for words in told), problems


def test_without_an_evaluation_nothing_can_be_sought(bench: Any) -> None:
    bench.words = ["sweep=alpha"]
    (problem,) = bench.problems("evaluation=none")
    assert problem.startswith("evaluation=none: a search needs what it seeks measured; choose another evaluation")


# --- going on --------------------------------------------------------------------------------------------------------


def test_the_same_study_goes_on_with_more_trials_or_elsewhere_recorded(bench: Any) -> None:
    first = bench.plan("sweep.n_trials=3")
    spec.require_same(bench.plan("sweep.n_trials=9", "sweep.workers=2", "sweep.timeout=5", "tracking=mlflow"), first)


def changed(sweep: dict[str, Any], settings: dict[str, Any]) -> spec.Spec:
    made = SweepConfig(**{"name": "alpha", "params": {"loss.alpha": "interval(0, 8)"}, **sweep})
    return spec.Spec("alpha", "distrust", Path("there"), [], None, made, {"method.max_steps": 2, **settings})


@pytest.mark.parametrize(
    ("sweep", "settings", "told"),
    [
        (
            {"params": {"loss.alpha": "interval(0, 9)"}},
            {},
            "begun with sweep.params={loss.alpha: interval(0, 8)}, and here it is {loss.alpha: interval(0, 9)}",
        ),
        ({"seed": 1}, {}, "was begun with sweep.seed=0, and here it is 1"),
        ({"storage": "journal"}, {}, "was begun with sweep.storage=sqlite, and here it is journal"),
        ({"repeats": 3}, {}, "was begun with sweep.repeats=1, and here it is 3"),
        ({}, {"method.max_steps": 3}, "was begun with method.max_steps=2, and here it is 3"),
        ({}, {"loss.new": 3}, "was begun with loss.new=None, and here it is 3"),
    ],
)
def test_another_study_is_refused_with_the_way_out(sweep: dict[str, Any], settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        spec.require_same(changed(sweep, settings), changed({}, {}))
    assert told in str(refused.value)
    assert "begin a new study beside it: sweep.study=<another name>" in str(refused.value)


def test_no_study_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        spec.load(tmp_path)


def test_an_options_points_follow_the_space_that_the_command_line_gives(bench: Any) -> None:
    own = [word for word in bench.words if not word.startswith("sweep.points")]
    narrow = bench.__class__(bench.home, own).plan("loss.alpha=interval(0, 0.5)")
    assert [point["loss.alpha"] for point in narrow.sweep.points] == [0.0, 0.1, 0.2, 0.3, 0.45]
    other = bench.__class__(bench.home, own).plan("loss.alpha=2", "adapter.r=choice(1, 2)", name="other")
    assert other.sweep.points == [] and list(other.sweep.params) == ["adapter.r"]
