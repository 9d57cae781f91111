"""A set of rewards is names and numbers in YAML; what does not fit is told before anything is loaded."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from trivium.compose import conf_dir
from trivium.errors import ConfigError
from trivium.rewards.terms import gold, options, scores, terms
from trivium.schema import Config
from trivium.scores import answer, format, meaning, repetition

SETS = sorted(path.stem for path in (conf_dir() / "reward").glob("*.yaml"))


def problems_of(data: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        terms(data)
    return caught.value.problems


def test_a_set_becomes_bound_terms_in_its_order() -> None:
    data = {
        "second": {"fn": "repetition.repetition", "weight": 2, "layer": 1, "passes": -0.5, "args": {"ngram": 3}},
        "first": {"fn": "format.exact"},
    }
    second, first = terms(data)
    assert (second.name, second.fn, second.weight, second.layer, second.passes) == (
        "second",
        repetition.repetition,
        2.0,
        1,
        -0.5,
    )
    assert second.args == {"ngram": 3}
    assert (first.name, first.fn, first.weight, first.layer, first.passes, first.args) == (
        "first",
        format.exact,
        1,
        0,
        None,
        {},
    )


@pytest.mark.parametrize(
    ("term", "said"),
    [
        ({"fn": "answer.f2"}, ["reward.terms.t.fn: set to 'answer.f2'", "did you mean `answer.f1`"]),
        ({"fn": "f1"}, ["reward.terms.t.fn: set to 'f1'", "answer.f1", "format.exact"]),
        ({"fn": "os.system"}, ["reward.terms.t.fn: set to 'os.system'"]),
        ({"fn": "answer._folded"}, ["reward.terms.t.fn"]),
        ({"fn": "answer.exact"}, ["reward.terms.t.fn", "did you mean"]),
        ({}, ["reward.terms.t.fn: not set"]),
        ({"fn": "answer.f1", "wieght": 2}, ["reward.terms.t.wieght", "`weight`"]),
        ({"fn": "answer.f1", "weight": -1}, ["reward.terms.t.weight: set to -1", "≥ 0"]),
        ({"fn": "answer.f1", "weight": "heavy"}, ["reward.terms.t.weight: set to 'heavy'", "a number"]),
        ({"fn": "answer.f1", "weight": float("nan")}, ["reward.terms.t.weight: set to nan", "finite"]),
        ({"fn": "answer.f1", "layer": 1.5}, ["reward.terms.t.layer: set to 1.5", "a whole number"]),
        ({"fn": "answer.f1", "args": [1]}, ["reward.terms.t.args: set to [1]", "a mapping"]),
        (
            {"fn": "repetition.repetition", "args": {"ngarm": 3}},
            ["reward.terms.t.args.ngarm", "repetition.repetition has no such option", "`ngram`"],
        ),
        ({"fn": "repetition.repetition", "args": {"ngram": "three"}}, ["args.ngram: set to 'three'; allowed: a whole number"]),
        ({"fn": "repetition.repetition", "args": {"ngram": 3.5}}, ["args.ngram: set to 3.5; allowed: a whole number"]),
        ({"fn": "answer.f1", "args": {"sample": 1}}, ["reward.terms.t.args.sample", "nothing may be set here"]),
        ("answer.f1", ["reward.terms.t: set to 'answer.f1'", "fn, weight"]),
        (None, ["reward.terms.t: set to None"]),
        (["answer.f1"], ["reward.terms.t: set to ['answer.f1']"]),
    ],
)
def test_what_does_not_fit_is_one_sentence(term: Any, said: list[str]) -> None:
    (problem,) = problems_of({"t": term})
    for words in said:
        assert words in problem


def test_whole_numbers_pass_for_floats_in_options() -> None:
    (term,) = terms({"t": {"fn": "repetition.repetition", "args": {"tolerance": 0}}})
    assert term.args == {"tolerance": 0}


def test_an_option_without_a_default_must_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def needy(completion: Any, sample: Any, *, threshold: float) -> float:
        return threshold

    monkeypatch.setattr("trivium.rewards.terms.scores", lambda: {"made.needy": needy})
    (problem,) = problems_of({"t": {"fn": "made.needy"}})
    assert problem == "reward.terms.t.args.threshold: not set; made.needy needs it: a number."
    assert terms({"t": {"fn": "made.needy", "args": {"threshold": 0.5}}})[0].args == {"threshold": 0.5}


def test_all_problems_are_told_together_in_order() -> None:
    found = problems_of(
        {
            "a": {"fn": "nosuch.thing"},
            "fine": {"fn": "answer.f1"},
            "b": {"fn": "repetition.repetition", "args": {"ngarm": 3, "tolerance": "much"}},
            "c": 7,
        }
    )
    places = ("reward.terms.a.fn", "reward.terms.b.args.ngarm", "reward.terms.b.args.tolerance", "reward.terms.c:")
    assert [problem.startswith(place) for problem, place in zip(found, places, strict=True)] == [True] * 4


def test_a_term_after_one_that_cannot_be_typed_is_still_judged() -> None:
    found = problems_of({"a": 7, "b": {"fn": "answer.f2"}})
    assert len(found) == 2
    assert "answer.f1" in found[1]


def test_scores_are_public_functions_of_a_completion_and_a_sample() -> None:
    found = scores()
    assert found["answer.f1"] is answer.f1
    assert found["meaning.nli_coherence"] is meaning.nli_coherence
    assert "answer.exact" not in found  # compares texts, is no score
    assert not any(name.split(".")[1].startswith("_") for name in found)


def test_options_are_typed_by_annotation() -> None:
    found = options(repetition.repetition)
    assert {name: parameter.annotation for name, parameter in found.items()} == {"ngram": int, "tolerance": float}


@pytest.mark.parametrize("name", SETS)
def test_every_shipped_set_binds(config_of: Callable[..., Config], name: str) -> None:
    config = config_of("experiment=coherence", f"reward={name}", *(["method=sft"] if name == "none" else []))
    found = terms(config.reward.terms)
    assert [term.name for term in found] == list(config.reward.terms)
    assert all(term.fn in scores().values() for term in found)
    if name != "none":
        assert found and gold(config.reward)


def test_a_layer_with_a_threshold_is_followed_by_a_layer() -> None:
    """A threshold in the last layer would block nothing."""
    for name in SETS:
        data = yaml.safe_load((conf_dir() / "reward" / f"{name}.yaml").read_text())
        found = terms(data.get("terms", {}))
        for term in found:
            assert term.passes is None or any(other.layer > term.layer for other in found), (name, term.name)


def test_no_policy_is_trained_on_its_own_gold_reward() -> None:
    for name in SETS:
        data = yaml.safe_load((conf_dir() / "reward" / f"{name}.yaml").read_text())
        trained = [term.fn for term in terms(data.get("terms", {}))]
        assert all(term.fn not in trained for term in (terms({"gold": data["gold"]}) if "gold" in data else [])), name


def test_terms_gold_and_the_evaluations_scores_are_judged_when_a_configuration_is(config_of: Callable[..., Config]) -> None:
    words = (
        "experiment=coherence",
        "reward.terms.mine={fn: answer.f2}",
        "reward.gold.fn=format.exakt",
        "evaluation.scores.mine={fn: answer.f1, args: {strict: true}}",
    )
    with pytest.raises(ConfigError) as caught:
        config_of(*words)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "reward.terms.mine.fn",
        "evaluation.scores.mine.args.strict",
        "reward.gold.fn",
    ]


def test_a_term_is_added_changed_and_taken_away_on_the_command_line(config_of: Callable[..., Config]) -> None:
    config = config_of(
        "experiment=coherence",
        "reward=lightweight",
        "reward.terms.facts.weight=3",
        "reward.terms.mine={fn: answer.f1, weight: 0.25}",
        "~reward.terms.repetition",
    )
    assert {term.name: term.weight for term in terms(config.reward.terms)} == {
        "format": 0.5,
        "facts": 3.0,
        "completeness": 0.5,
        "mine": 0.25,
    }


DAMAGED = {
    "two terms of one name": (b"terms:\n  a: {fn: format.exact}\n  a: {fn: answer.f1}\n", "found duplicate key a"),
    "no YAML": (b"terms: [\n", "mine.yaml"),
    "not UTF-8": b"# \xff\xfe\nterms: {}\n",
}


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("flags", [[], ["--cfg", "job"]], ids=["run", "inspect"])
def test_a_set_of_ones_own_that_cannot_be_read_is_one_sentence(
    trivium: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path, damage: str, flags: list[str]
) -> None:
    data, said = DAMAGED[damage] if isinstance(DAMAGED[damage], tuple) else (DAMAGED[damage], "utf-8")
    folder = tmp_path / "mine" / "reward"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_bytes(b"defaults: [schema, _self_]\nname: mine\n" + data)
    done = trivium("--config-dir", "mine", "experiment=coherence", "reward=mine", *flags)
    assert done.returncode == 2, done.stderr[-300:]
    (line,) = done.stderr.splitlines()
    assert line.startswith("trivium: ") and said in line
    assert not (tmp_path / "outputs").exists()
