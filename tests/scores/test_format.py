"""The think format."""

from collections.abc import Callable
from functools import partial

import pytest

from trivium.scores.format import approximate, exact

Scorer = Callable[..., float | None]


def test_the_whole_format_is_kept_or_not(score: Scorer) -> None:
    assert score(exact, "<think>2 + 2</think>It is 4.") == 1.0
    for broken in ("It is 4.", "2 + 2</think>It is 4.", "<think>2 + 2</think>", "<think></think>It is 4.", "<think>2 + 2", ""):
        assert score(exact, broken) == 0.0, broken
    assert score(exact, "So: <think>2 + 2</think>It is 4.") == 0.0
    assert score(exact, "<think>2</think>It<think>x</think>") == 0.0


def test_a_template_may_have_opened_the_thinking(score: Scorer) -> None:
    kept = partial(score, exact, preopened=True)
    assert kept("2 + 2</think>It is 4.") == kept("<think>2 + 2</think>It is 4.") == 1.0
    assert kept("<think><think>2 + 2</think>It is 4.") == kept("It is 4.") == 0.0


@pytest.mark.parametrize(
    "bare", ["</think>", "<think>", "<think></think>", "</think>It is 4.", "<think> </think>4", "<think>2 + 2</think> ?!"]
)
def test_bare_tags_earn_nothing(bare: str, score: Scorer) -> None:
    assert score(approximate, bare) == 0.0


def test_each_repair_earns_more(score: Scorer) -> None:
    repairs = ["It is 4.", "so 2 + 2</think>It</think> is 4.", "so 2 + 2</think>It is 4.", "so <think>2 + 2</think>It is 4."]
    earned = [score(approximate, text) for text in [*repairs, "<think>2 + 2</think>It is 4."]]
    assert earned == sorted(set(earned))
    assert earned[0] == 0.0
    assert earned[-1] == 1.0
