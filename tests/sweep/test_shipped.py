"""Every shipped sweep can begin, and the grids that need no long training are done, small."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from trivium.compose import conf_dir, hydra_at, options
from trivium.overrides import checked, loosen
from trivium.schema import Config
from trivium.sweep import outcome, search, space, spec, worker
from trivium.sweep.spec import Spec
from trivium.sweep.study import Search

SHIPPED = [name for name in options("sweep") if name != "none"]

Plan = Callable[..., Spec]
Run = Callable[..., Search]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plan]:
    """The study that a sweep and more words ask for; the same words are planned once."""
    home = tmp_path_factory.mktemp("studies")

    @cache
    def planned(name: str, *words: str) -> Spec:
        return spec.plan([f"sweep={name}", *words], lambda _: home / name, None, checked)

    with hydra_at():
        yield planned


@pytest.fixture
def run(plan: Plan, fast: list[str]) -> Run:
    """The whole sweep on the smallest world there is."""

    def done(name: str, *words: str) -> Search:
        planned = plan(name, *fast, *words)
        planned.write()
        while worker.work(planned.folder):
            pass
        return Search(planned, checked([*planned.fixed, spec.ALONE]).tracking)

    return done


def points(found: Spec) -> list[Config]:
    """The configurations at both ends of every interval and at every choice."""
    ends = space.corners(space.read(found.sweep.params)[0])
    return [checked([*found.fixed, spec.ALONE, *(loosen(space.override(k, v)) for k, v in point.items())]) for point in ends]


def told(search: Search) -> dict[str, dict[str, Any]]:
    """Everything that each trial measured, by what it set."""
    done = search.trials("COMPLETE")
    return {" ".join(t.user_attrs["overrides"]): outcome.result_of(search.folder_of(t.number))["metrics"] for t in done}


@pytest.mark.parametrize("name", SHIPPED)
def test_begins_without_a_problem_under_its_own_name(plan: Plan, name: str) -> None:
    assert plan(name).sweep.name == plan(name).study == name


@pytest.mark.parametrize("name", SHIPPED)
def test_is_short_and_says_first_what_it_answers(name: str) -> None:
    lines = (conf_dir() / "sweep" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 25
    assert lines[0] == "# @package _global_"
    assert lines[1].startswith("# ") and "?" in lines[1]


@pytest.mark.parametrize("name", SHIPPED)
def test_measures_every_point_alike(plan: Plan, name: str) -> None:
    """Also where a whole group is searched: an option may bring a gold reward of its own."""
    measures = [(config.evaluation, config.reward.gold) for config in points(plan(name))]
    assert len(measures) > 1
    assert all(measure == measures[0] for measure in measures)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_setting_that_is_given_is_not_searched(plan: Plan, name: str) -> None:
    params = plan(name).sweep.params
    key = next(iter(params))
    given = space.override(key, next(iter(space.corners(space.read(params)[0])))[key])
    if len(params) > 1:
        assert key not in plan(name, given, "sweep.points=[]").sweep.params
    else:
        with pytest.raises(Exception, match="nothing to search"):
            plan(name, given, "sweep.points=[]")


def test_the_curve_over_alpha_is_given_point_by_point(plan: Plan) -> None:
    sweep = plan("alpha").sweep
    alphas = [point["loss.alpha"] for point in sweep.points]
    assert alphas == sorted(set(alphas)) and (alphas[0], alphas[-1]) == (0, 8)
    assert len(alphas) == sweep.n_trials == 12
    assert 2.7 in alphas  # the default


def test_the_scale_of_adapters_does_not_follow_the_rank(plan: Plan) -> None:
    scales = {config.adapter.lora_alpha / config.adapter.r for config in points(plan("rank"))}
    assert scales == {1.0}


def test_the_published_weights_come_first_among_reward_weights(plan: Plan) -> None:
    found = plan("reward_weights")
    terms = checked([*found.fixed, spec.ALONE]).reward.terms
    assert found.sweep.points == [{key: terms[key.split(".")[2]]["weight"] for key in found.sweep.params}]


def test_no_reward_set_is_judged_by_a_reward_that_it_trains_on(plan: Plan) -> None:
    for config in points(plan("rewards")):
        assert config.reward.gold["fn"] not in {term["fn"] for term in config.reward.terms.values()}


def test_every_reward_set_is_compared(plan: Plan) -> None:
    compared = space.read(plan("rewards").sweep.params)[0]["reward"].choices  # type: ignore[attr-defined]
    assert set(compared) == set(options("reward")) - {"none"}


def test_every_loss_is_compared_and_the_published_one_is_plain(run: Run) -> None:
    found = told(run("losses", "sweep.repeats=1"))
    assert set(found) == {f"loss={name}" for name in options("loss")}
    plain, published, weighted = (
        {k: v for k, v in found[f"loss={name}"].items() if k.startswith("eval/")}
        for name in ("uniform", "distrust_published", "distrust")
    )
    assert plain == published
    assert weighted != plain


def test_parts_of_the_archive_are_trained_on_and_the_same_facts_asked(run: Run) -> None:
    searched = run("where", "sweep.repeats=1")
    found = told(searched)
    sizes = {words: metrics["data/train"] for words, metrics in found.items()}
    assert len(sizes) == search.n_trials(searched.sweep, searched.space)
    whole = sizes.pop("dataset.where={}")
    assert all(0 < size < whole for size in sizes.values())
