"""Hydra's words for sweeps as Optuna's distributions, and points as overrides again."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from trivium.sweep import space


def read(key: str, text: str) -> Any:
    found, problems = space.read({key: text})
    assert problems == []
    return found[key]


@pytest.mark.parametrize(
    ("key", "text", "kind"),
    [
        ("loss.alpha", "interval(0, 8)", FloatDistribution(0, 8)),
        ("loss.alpha", "tag(log, interval(0.1, 8))", FloatDistribution(0.1, 8, log=True)),
        ("adapter.r", "interval(1, 64)", IntDistribution(1, 64)),
        ("adapter.r", "tag(log, interval(1, 64))", IntDistribution(1, 64, log=True)),
        ("adapter.r", "tag(int, interval(1, 64))", IntDistribution(1, 64)),
        ("loss.alpha", "range(0, 8, 2)", FloatDistribution(0, 6, step=2)),
        ("loss.alpha", "range(0, 1, 0.25)", FloatDistribution(0, 0.75, step=0.25)),
        ("adapter.r", "range(4, 17, 4)", IntDistribution(4, 16, step=4)),
        ("adapter.r", "range(3)", IntDistribution(0, 2)),
        ("loss.alpha", "choice(0, 0.3, 1)", CategoricalDistribution([0, 0.3, 1])),
        ("loss.alpha", "0,0.3,1", CategoricalDistribution([0, 0.3, 1])),
        ("reward", "lightweight,robust_coherence", CategoricalDistribution(["lightweight", "robust_coherence"])),
        ("adapter.use_rslora", "true,false", CategoricalDistribution([True, False])),
        ("dataset.max_samples", "null,20", CategoricalDistribution([None, 20])),
        ("adapter.target_modules", "[q_proj],[q_proj,v_proj]", CategoricalDistribution(["[q_proj]", "[q_proj,v_proj]"])),
    ],
)
def test_hydras_words_are_optunas_distributions(key: str, text: str, kind: BaseDistribution) -> None:
    assert read(key, text) == kind


def test_a_shuffled_range_is_its_values() -> None:
    assert sorted(read("adapter.r", "shuffle(range(4, 8))").choices) == [4, 5, 6, 7]


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("loss.alpha", "0.3", "one value, so there is nothing to search; allowed: choice(a, b)"),
        ("loss.alpha", "interval(8, 0)", "its low end 8 is not below its high end 0"),
        ("loss.alpha", "interval(1, 1)", "its low end 1 is not below its high end 1"),
        ("loss.alpha", "tag(log, interval(0, 8))", "a logarithmic interval begins above 0, not at 0"),
        ("adapter.r", "interval(0.5, 8)", "this setting is a whole number; write whole ends"),
        ("adapter.r", "range(8, 4, 1)", "it holds no value; write range(start, stop, step)"),
        ("loss.alpha", "interval(0, ", "it cannot be read; allowed: choice(a, b)"),
        ("loss.alpha", "normal(0, 1)", "allowed: choice(a, b)"),
        ("dataset.max_samples", "choice(null, 20)", "null stands in a plain list: null, 20"),
    ],
)
def test_what_is_no_space_is_told(key: str, text: str, words: str) -> None:
    found, (problem,) = space.read({key: text})
    assert found == {}
    assert problem.startswith(f"sweep.params.{key}: set to {text}; ")
    assert words in problem


def test_all_entries_are_judged_together() -> None:
    found, problems = space.read({"loss.alpha": "3", "adapter.r": "interval(1, 8)", "method.max_steps": "interval(9, 8)"})
    assert list(found) == ["adapter.r"]
    assert len(problems) == 2


def back(override: str) -> Any:
    key, _, text = override.partition("=")
    return space.parse(key, text).value()


@settings(max_examples=60, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.booleans() | st.none())
def test_a_value_survives_the_command_line(value: Any) -> None:
    again = back(space.override("loss.alpha", value))
    assert type(again) is type(value)
    assert again == value


@pytest.mark.parametrize("text", ["'a b'", "a-b", "'x=1,y'", "[1,2]", "{a:1}", "a/b.yaml"])
def test_a_category_means_what_its_text_means(text: str) -> None:
    first = read("dataset.path", f"choice({text}, other)").choices[0]
    assert back(space.override("dataset.path", first)) == space.parse("dataset.path", text).value()


def test_the_corners_hold_every_category_and_both_ends() -> None:
    found, _ = space.read({"loss.alpha": "interval(0, 8)", "reward": "choice(none, format, lightweight)"})
    assert list(space.corners(found)) == [
        {"loss.alpha": 0.0, "reward": "none"},
        {"loss.alpha": 8.0, "reward": "format"},
        {"loss.alpha": 8.0, "reward": "lightweight"},
    ]
    assert list(space.corners({})) == []


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ({"loss.alpha": 9}, "loss.alpha=9 lies outside of"),
        ({"loss.alpha": "much"}, "loss.alpha=much lies outside of"),
        ({"loss.alpha": math.nan}, "lies outside of"),
        ({"reward": "legacy"}, "reward=legacy lies outside of"),
        ({"loss.alfa": 1}, "loss.alfa is not searched; searched here: loss.alpha, reward"),
    ],
)
def test_a_point_outside_is_told(point: dict[str, Any], words: str) -> None:
    found, _ = space.read({"loss.alpha": "interval(0, 8)", "reward": "choice(none, format)"})
    (problem,) = space.misplaced(point, found)
    assert words in problem


def test_a_point_inside_is_not() -> None:
    found, _ = space.read({"loss.alpha": "interval(0, 8)", "reward": "choice(none, format)"})
    assert list(space.misplaced({"loss.alpha": 8, "reward": "format"}, found)) == []
