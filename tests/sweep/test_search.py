import math
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from trivium.schema import SweepConfig
from trivium.sweep import search
from trivium.sweep.storage import open_storage


@pytest.fixture(autouse=True)
def calm() -> Iterator[None]:
    """A sampler that grumbles at every point would bury the sweep's own lines."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def numbers() -> dict[str, Any]:
    from optuna.distributions import FloatDistribution, IntDistribution

    return {"loss.alpha": FloatDistribution(0, 8), "adapter.r": IntDistribution(1, 64, log=True)}


def grid() -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    return {
        "loss": CategoricalDistribution(["uniform", "distrust"]),
        "loss.alpha": FloatDistribution(0, 0.3, step=0.1),
        "adapter.r": IntDistribution(4, 6),
    }


def config_of(sampler: str, **settings: Any) -> SweepConfig:
    return SweepConfig(sampler=sampler, **settings)


def value_of(params: Mapping[str, Any]) -> float:
    return sum(math.cos(3 * float(v)) for v in params.values() if not isinstance(v, str))


def ask(config: SweepConfig, folder: Path, space: Mapping[str, Any], until: int, died: int = -1) -> list[dict[str, Any]]:
    """A sequential sweep up to a number of trials, everything opened anew; the process dies in trial `died`."""
    import optuna

    directions = list(config.sought.values())
    storage = open_storage("journal", folder, None)
    study = optuna.create_study(storage=storage, study_name="s", directions=directions, load_if_exists=True)
    while sum(t.state.is_finished() for t in study.get_trials(deepcopy=False)) < until:
        trials = study.get_trials(deepcopy=False)
        study.sampler = search.sampler(config, space, search.asked(trials))
        trial = study.ask(space)
        if trial.number == died:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            study.add_trial(search.again(study.trials[trial.number], {"deaths": 1}))
        else:
            study.tell(trial, [value_of(trial.params)] * len(directions))
    return [t.params for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE]


SEQUENTIAL = [
    ("tpe", {"n_startup_trials": 3}),
    ("gp", {"n_startup_trials": 8}),
    ("random", {}),
    ("nsgaii", {"population_size": 3}),
    ("qmc", {"warn_independent_sampling": False}),
    ("qmc", {"scramble": True, "qmc_type": "halton"}),
    ("cmaes", {}),
    ("grid", {}),
]


def space_of(sampler: str) -> dict[str, Any]:
    return grid() if sampler == "grid" else numbers()


@pytest.mark.parametrize(("sampler", "args"), SEQUENTIAL)
def test_a_sweep_that_goes_on_proposes_what_an_uninterrupted_one_does(sampler: str, args: Any, tmp_path: Path) -> None:
    if sampler == "cmaes":
        pytest.importorskip("cmaes")
    config, space = config_of(sampler, sampler_args=args, seed=7), space_of(sampler)
    whole = ask(config, tmp_path / "whole", space, 12)
    ask(config, tmp_path / "parts", space, 5)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(ask, config, tmp_path / "parts", space, 12).result(timeout=120) == whole
    assert len({str(point) for point in whole}) >= 11
    assert ask(config_of(sampler, sampler_args=args, seed=8), tmp_path / "other", space, 12) != whole or sampler in ("qmc",)


@pytest.mark.parametrize(("sampler", "args"), [row for row in SEQUENTIAL if row[0] != "cmaes"])
def test_a_trial_whose_process_died_changes_nothing_for_the_later_ones(sampler: str, args: Any, tmp_path: Path) -> None:
    config, space = config_of(sampler, sampler_args=args), space_of(sampler)
    whole = ask(config, tmp_path / "whole", space, 8)
    assert ask(config, tmp_path / "died", space, 9, died=4) == whole


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "gp", "nsgaii"])
def test_points_asked_at_the_same_time_and_after_failures_differ(sampler: str) -> None:
    import optuna

    config, study = config_of(sampler), optuna.create_study()
    for i in range(6):
        study.sampler = search.sampler(config, numbers(), search.asked(study.get_trials(deepcopy=False)))
        trial = study.ask(numbers())
        if i % 2:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
    assert len({str(t.params) for t in study.trials}) == 6


@pytest.mark.parametrize("pruner", ["none", "hyperband"])
def test_a_grid_visits_each_cell_once_after_points_failures_and_retries(pruner: str) -> None:
    import optuna

    config, space = config_of("grid", pruner=pruner, pruner_args={"max_resource": 50} if pruner == "hyperband" else {}), grid()
    study = optuna.create_study(pruner=search.pruner(config))
    assert search.cells(space) == search.n_trials(config, space) == 24
    study.enqueue_trial({"loss": "distrust", "loss.alpha": 0.3, "adapter.r": 5})
    study.enqueue_trial({"loss.alpha": 0.1})
    asked = 0
    while not search.exhausted(config, space, study.get_trials(deepcopy=False)):
        study.sampler = search.sampler(config, space, asked)
        trial, asked = study.ask(space), asked + 1
        if trial.number == 7:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            study.add_trial(search.again(study.trials[-1], {}))
        elif trial.number % 5:
            study.tell(trial, value_of(trial.params))
        assert asked <= 25
    cells = [str(sorted(t.params.items())) for t in study.trials]
    assert (len(cells), len(set(cells))) == (25, 24)
    assert {t.params["loss.alpha"] for t in study.trials} == {0.0, 0.1, 0.2, 0.3}
    study.tell(study.ask(space), 0.0)


def test_a_point_tried_again_keeps_the_samplers_notes_and_not_the_pruners() -> None:
    import optuna

    config = config_of("nsgaii")
    study = optuna.create_study(sampler=search.sampler(config, numbers(), 0), pruner=optuna.pruners.SuccessiveHalvingPruner(1))
    trial = study.ask(numbers())
    trial.report(1.0, 1)
    trial.should_prune()
    trial.set_constraint("c", 1.0)
    study.tell(trial, state=optuna.trial.TrialState.FAIL)
    study.add_trial(search.again(study.trials[0], {"deaths": 1}))
    copy = study.ask(numbers())
    assert (copy.params, copy.user_attrs) == (trial.params, {"deaths": 1})
    assert study.trials[-1].system_attrs == {"NSGAIISampler:generation": 0, search.AGAIN: 0}
    assert search.asked(study.get_trials()) == 1


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("none", {}),
        ("median", {"n_startup_trials": 2}),
        ("percentile", {"percentile": 25}),
        ("asha", {"min_resource": 25}),
        ("hyperband", {"max_resource": 400}),
        ("threshold", {"upper": 2}),
        ("patient", {"patience": 2, "wrapped": "percentile", "percentile": 50, "min_delta": 0.1}),
        ("patient", {"patience": 2}),
        ("wilcoxon", {"p_threshold": 0.2}),
    ],
)
def test_every_pruner_can_be_had_by_name(name: str, args: dict[str, Any]) -> None:
    config = SweepConfig(pruner=name, pruner_args=args, repeats=2)
    assert list(search.problems_in(config, numbers())) == []
    made = search.pruner(config)
    assert type(made).__name__ == search._PRUNERS[name]
    inner = getattr(made, "_wrapped_pruner", None)
    assert type(inner).__name__ == {"patient": search._PRUNERS[args.get("wrapped", "median")]}.get(name, "NoneType")


@pytest.mark.parametrize(("sampler", "args"), SEQUENTIAL)
def test_every_sampler_can_be_had_by_name(sampler: str, args: dict[str, Any]) -> None:
    config = config_of(sampler, sampler_args=args)
    missing = [p for p in search.problems_in(config, space_of(sampler)) if "needs the package" not in p]
    assert missing == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sampler_args": {"n_startup_trails": 3}}, "did you mean `n_startup_trials`?"),
        ({"sampler_args": {"constraints_func": "f"}}, "nothing that a configuration can give to TPESampler"),
        ({"sampler_args": {"n_startup_trials": "ten"}}, "set to 'ten'; allowed: a whole number."),
        ({"sampler_args": {"seed": 3}}, "set sweep.seed instead"),
        ({"sampler": "grid", "sampler_args": {"search_space": {}}}, "nothing may be set here"),
        ({"pruner": "median", "pruner_args": {"n_startup_trials": -1}}, "cannot be negative"),
        ({"pruner": "percentile"}, "sweep.pruner_args.percentile: not set"),
        ({"pruner": "threshold"}, "Either lower or upper"),
        ({"pruner": "none", "pruner_args": {"patience": 1}}, "nothing may be set here"),
        ({"pruner": "patient", "pruner_args": {"wrapped": "medium", "patience": 1}}, "did you mean `median`?"),
        ({"pruner": "patient", "pruner_args": {"wrapped": "patient", "patience": 1}}, "wrapped: set to 'patient'"),
        ({"pruner": "patient"}, "patience: not set"),
        ({"pruner": "patient", "pruner_args": {"patience": -1}}, "patience cannot be negative"),
        ({"pruner": "patient", "pruner_args": {"patience": 1, "percentile": 3}}, "percentile: nothing"),
        ({"pruner": "wilcoxon"}, "sweep.repeats to 2 or more"),
        ({"pruner": "median", "objectives": ["maximize eval/a", "minimize eval/b"]}, "there are 2"),
        ({"sampler": "cmaes", "objectives": ["maximize eval/a", "minimize eval/b"]}, "seeks one objective"),
        ({"sampler": "cmaes", "constraints": ["eval/a <= 1"]}, "ignores constraints"),
        ({"sampler": "cmaes"}, "sweep.params.loss: cmaes searches numbers"),
        ({"sampler": "nsgaii"}, "first 50 points at random, and there are 20"),
        ({"sampler": "grid", "n_trials": 25}, "the grid has 24 cells"),
    ],
)
def test_what_optuna_cannot_take_is_said_before(settings: dict[str, Any], words: str) -> None:
    problems = list(search.problems_in(SweepConfig(**settings), grid()))
    assert any(words in problem for problem in problems), problems


def test_a_grid_over_an_interval_is_refused_with_the_way_out() -> None:
    problems = list(search.problems_in(config_of("grid"), numbers()))
    assert problems == [
        "sweep.params.loss.alpha: a grid needs values, not an interval; give choice(…) or range(start, stop, step)."
    ]
    assert search.cells(numbers()) is None


def test_optuna_refuses_what_we_refuse_for_it() -> None:
    """The claims behind our sentences, held against Optuna itself."""
    import optuna

    several = optuna.create_study(directions=["maximize", "minimize"])
    trial = several.ask(numbers())
    with pytest.raises(NotImplementedError):
        trial.should_prune()
    for sampler in ("tpe", "gp", "nsgaii", "qmc", "random"):
        several.sampler = search.sampler(config_of(sampler), numbers(), 0)
        several.tell(several.ask(numbers()), [0.0, 1.0])
    pytest.importorskip("cmaes")
    several.sampler = search.sampler(config_of("cmaes"), numbers(), 0)
    with pytest.raises(ValueError, match="multi-objective"):
        several.ask(numbers())
