"""Lift: a filter of ordinary words is seen, the shipped one is not of that kind."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.data.library import lift, themes
from trivium.data.library.lift import Share, Tally, block, passes
from trivium.data.library.themes import Found, Lexicon, Themes
from trivium.data.library.units import Characters
from trivium.errors import DataError
from trivium.schema.library import LibraryConfig, ThemesConfig


def tally(passed: int, count: int) -> Tally:
    found = Tally()
    for i in range(count):
        found.add(Found(2, {"sea": 2}) if i < passed else Found(0, {}), i < passed)
    return found


@given(st.integers(0, 200), st.integers(1, 200), st.integers(0, 200), st.integers(1, 200))
def test_the_interval_holds_the_lift(a: int, n: int, b: int, m: int) -> None:
    works, ordinary = Share(min(a, n), n), Share(min(b, m), m)
    found = lift.lift(works, ordinary)
    assert (found["low"] > 0) is (works.passed > 0)
    assert (found["value"] is None) is (found["high"] is None) is (ordinary.passed == 0)
    if ordinary.passed:
        assert found["low"] <= found["value"] + 1e-12 <= found["high"] + 2e-12
    else:
        assert found["low"] <= works.value / ordinary.interval()[1] + 1e-12


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    counts = zip(rng.binomial(400, 0.3, 400), rng.binomial(60, 0.15, 400), strict=True)
    drawn = [lift.lift(Share(int(a), 400), Share(int(b), 60)) for a, b in counts]
    assert 0.92 <= np.mean([found["low"] <= 2 and (found["high"] is None or found["high"] >= 2) for found in drawn]) <= 0.99


def test_more_passages_say_more() -> None:
    few, many = lift.lift(Share(3, 10), Share(1, 10)), lift.lift(Share(300, 1000), Share(100, 1000))
    assert few["value"] == pytest.approx(many["value"]) == pytest.approx(3)
    assert few["low"] < many["low"] < 3 < many["high"] < few["high"]


def test_what_everything_passes_is_warned_of() -> None:
    config = ThemesConfig(min_lift=2)
    assert "lift of 1.00" in block(tally(9, 10), tally(9, 10), config)["warning"]
    assert block(tally(9, 10), tally(1, 10), config)["warning"] is None
    assert "no lift is known" in block(tally(9, 10), tally(0, 0), config)["warning"]
    assert block(tally(9, 10), tally(1, 10), config)["themes"]["sea"]["value"] == pytest.approx(9)


@pytest.mark.parametrize(("total", "kept"), [(1, False), (2, True), (4, True), (5, False)])
def test_least_and_most(total: int, kept: bool) -> None:
    assert passes(Found(total, {}), ThemesConfig(min_matches=2, max_matches=4)) is kept


def test_ordinary_prose_does_not_pass_the_shipped_filter_but_a_vacuous_one() -> None:
    config = LibraryConfig()
    shipped = lift.ordinary(config, Themes(themes.load("period")), Characters())
    assert shipped.count >= 20 and shipped.passed == 0
    words = {"all": ("we", "us", "good", "order", "people", "time", "work", "new")}
    vacuous = lift.ordinary(config, Themes(Lexicon("v", 1, "s", words, {})), Characters())
    assert vacuous.share.value > 0.5


def test_own_ordinary_prose(tmp_path: Path) -> None:
    (tmp_path / "o.jsonl").write_text('{"text": "The tide and the reef, far from here."}\n{"text": "Nothing else."}\n{}\n')
    config = LibraryConfig()
    config.themes.ordinary, config.chunk.min_size = str(tmp_path / "o.jsonl"), 5
    found = lift.ordinary(config, Themes(themes.load("small_world")), Characters())
    assert (found.passed, found.count) == (1, 2)
    config.themes.ordinary = str(tmp_path / "gone.txt")
    with pytest.raises(DataError, match="ordinary"):
        lift.ordinary(config, Themes(themes.load("small_world")), Characters())
