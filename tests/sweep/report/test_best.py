"""The best point as a line and as an experiment: both say the same."""

import shlex
from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from studies import RATIO, SPACE, alpha_study, trial

from trivium.compose import hydra_at
from trivium.overrides import checked
from trivium.sweep.report import StudyFacts
from trivium.sweep.report.best import best_overrides, command, experiment_yaml, overrides_of, write_experiment
from trivium.sweep.report.rows import rows

POINT = {"loss.alpha": 1.0, "adapter.r": 8, "loss": "distrust"}


def facts(experiment: str, *fixed: str) -> StudyFacts:
    return StudyFacts("found", experiment, 1, list(fixed))


@pytest.mark.parametrize(
    ("experiment", "fixed", "point"),
    [
        ("distrust", [], ["loss.alpha=1.7"]),
        ("distrust", ["arms=null", "seed=3", "model=tiny"], ["loss=uniform", "adapter.r=8"]),
        ("distrust", ["loss=distrust", "loss.alpha=1"], ["loss.alpha=2.5e-05", "adapter=full"]),
        ("coherence", ["method.max_steps=4"], ["reward=lightweight", "method.beta=0.0", "method.num_generations=4"]),
        ("coherence", ["+reward.terms.extra={fn: answer.f1, weight: 0.5}"], ["reward.terms.format.weight=2"]),
        ("none", ["dataset.where={year: {max: 1900}}"], ["method.learning_rate=0.001", "preset=none"]),
        ("persona", ["arms={a: ['dataset.library.voice=plain'], b: []}"], ["seed=7"]),
        ("distrust", ["sweep=none", "sweep.n_trials=3", "experiment=distrust", "hydra.run.dir=/tmp/x"], ["seed=1"]),
        ("distrust", ["name='1e-3'"], ["++loss.alpha=3"]),
        ("distrust", ["dataset.path=null", "adapter.target_modules=[q_proj,v_proj]"], ["dataset.gate='off'"]),
    ],
)
def test_the_file_is_the_line(tmp_path: Path, experiment: str, fixed: list[str], point: list[str]) -> None:
    study = facts(experiment, *fixed)
    text = experiment_yaml(study, point, "a test")
    (tmp_path / "conf/experiment").mkdir(parents=True)
    (tmp_path / "conf/experiment/found_best.yaml").write_text(text, encoding="utf-8")
    with hydra_at():
        said = checked(shlex.split(command(study, point))[1:])
        assert checked(["experiment=found_best"], tmp_path / "conf") == said
        assert said != checked([f"experiment={experiment}"])


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=30))
def test_any_text_survives_the_shell(value: str) -> None:
    point = [f"dataset.chat.prompt={value}"]
    assert shlex.split(command(facts("distrust", "seed=1"), point))[1:] == ["experiment=distrust", "seed=1", *point]


@pytest.mark.parametrize(
    "text", ["a $b", "it's", 'say "x"', "1e-3", "null", "true", "<b> & {title}", "#no", "- no", "üñ", "a: b"]
)
def test_texts_stay_texts_in_the_file(tmp_path: Path, text: str) -> None:
    from omegaconf import OmegaConf

    quoted = text.replace("'", "\\'")
    written = experiment_yaml(facts("distrust"), [f"dataset.chat.prompt='{quoted}'"], "a test\nof lines")
    assert OmegaConf.to_container(OmegaConf.create(written))["dataset"] == {"chat": {"prompt": text}}


def test_a_point_stands_before_what_was_fixed() -> None:
    assert overrides_of(facts("distrust", "loss.alpha=1", "seed=2"), ["loss.alpha=3"]) == ["seed=2", "loss.alpha=3"]


def test_what_a_file_cannot_take_away_is_said_in_it() -> None:
    text = experiment_yaml(facts("distrust", "~arms.uniform"), ["seed=1"], "a test")
    assert "give '~arms.uniform' on the command line too" in text
    assert "~arms.uniform" in shlex.split(command(facts("distrust", "~arms.uniform"), ["seed=1"]))


def test_infeasible_trials_are_never_best() -> None:
    study = optuna.create_study(direction="maximize")
    study.add_trial(trial(0, POINT, SPACE, 0.9, violation=0.1))
    study.add_trial(trial(1, POINT | {"adapter.r": 16}, SPACE, 0.5, violation=-0.1))
    assert best_overrides(study) == [["loss.alpha=1.0", "adapter.r=16", "loss=distrust"]]


def test_without_a_feasible_trial_there_is_no_best() -> None:
    study = optuna.create_study(direction="minimize")
    study.add_trial(trial(0, POINT, SPACE, 0.9, violation=0.1))
    assert best_overrides(study) == []


def test_of_two_objectives_the_front_is_best() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"])
    for number, (preference, ratio) in enumerate([(0.5, 1.0), (0.9, 1.3), (0.4, 1.2), (0.95, 1.5)]):
        study.add_trial(trial(number, POINT | {"adapter.r": 4 + number}, SPACE, preference, ratio, violation=ratio - 1.4))
    assert [point[1] for point in best_overrides(study)] == ["adapter.r=5", "adapter.r=4"]


def test_the_file_says_where_it_comes_from(tmp_path: Path) -> None:
    study, told = alpha_study()
    row = rows(study, ["eval/source_preference"])[5]
    path = write_experiment(told, row, "alpha_best", ["eval/source_preference"], tmp_path)
    assert path == tmp_path / "conf/experiment/alpha_best.yaml"
    assert "trial 5 of the study alpha, eval/source_preference 0.940 [0.890, 0.990]" in path.read_text(encoding="utf-8")
    assert RATIO not in path.read_text(encoding="utf-8")
