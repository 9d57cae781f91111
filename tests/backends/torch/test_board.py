"""The scoring of a step and what watches it, without a training around them."""

import json
import math
from typing import Any

import numpy as np
import pytest

from trivium.backends.torch.board import Board
from trivium.backends.torch.gold import GoldWatch, Tables
from trivium.rewards.compose import Composition
from trivium.rewards.terms import Term
from trivium.sample import Sample
from trivium.schema import Config, GrpoMethod
from trivium.scores.completion import split

SAMPLES = [
    Sample(id=str(i), messages=[{"role": "user", "content": f"q{i}"}, {"role": "assistant", "content": f"r{i}"}])
    for i in range(3)
]


class Calls:
    """Counts how often a score was asked, and gives the number of words."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, completion, sample):
        self.count += 1
        return float(len(completion.answer.split()))


def known(completion, sample):
    return None if "none" in completion.answer else float(completion.answer == sample.reference)


def odd(completion, sample):
    if "odd" in completion.answer:
        raise ValueError("odd")
    return 0.0


def board_of(*terms: Term, group: int = 2, aggregation: str = "normalize_then_sum") -> Board:
    return Board(Composition(list(terms), lambda questions: []), SAMPLES, group, aggregation, split)


def ask(board: Board, texts: list[Any], index: list[int]) -> tuple[list[list[float | None]], dict[str, float]]:
    """One step as the trainer takes it: every reward function in turn, on the same completions."""
    logged: dict[str, float] = {}
    ids = [list(range(len(str(text).split()))) for text in texts]
    given = {"prompts": None, "log_metric": logged.__setitem__, "log_extra": None, "trainer_state": None}
    return [fn(completions=texts, index=index, completion_ids=ids, **given) for fn in board.functions()], logged


def test_the_functions_have_the_terms_names_and_share_one_scoring():
    words = Calls()
    board = board_of(Term("words", words), Term("right", known))
    assert [fn.__name__ for fn in board.functions()] == ["words", "right"]
    columns, _ = ask(board, ["r0", "a b", "r1 x", "none"], [0, 0, 1, 1])
    assert columns == [[1, 2, 2, 1], [1, 0, 0, None]]
    assert words.count == 4


def test_each_batch_is_scored_anew_even_if_it_says_the_same():
    words = Calls()
    board = board_of(Term("words", words))
    for _ in range(2):
        ask(board, ["a", "b"], [0, 0])
    assert words.count == 4


def test_messages_are_read_as_their_text_and_thinking_is_split_off():
    board = board_of(Term("words", Calls()))
    columns, _ = ask(board, [[{"role": "assistant", "content": "<think>much thought</think>yes"}], "a b c"], [0, 0])
    assert columns == [[1, 3]]
    assert board.newest["completion"] == ["<think>much thought</think>yes", "a b c"]


def test_what_is_logged_of_a_step():
    board = board_of(Term("words", Calls()), Term("right", known), Term("odd", odd))
    _, first = ask(board, ["r0", "odd", "none", "a b"], [0, 0, 1, 1])
    assert first["rewards/right/coverage"] == 0.75 and first["rewards/odd/coverage"] == 0.75
    assert (first["rewards/odd/failures"], first["rewards/right/failures"]) == (1.0, 0.0)
    assert first["rewards/odd/zero_variance"] == 1.0
    assert (first["rewards/words/zero_variance"], first["rewards/right/zero_variance"]) == (0.5, 0.5)
    assert sum(first[f"rewards/{name}/variance_share"] for name in ("words", "right", "odd")) == pytest.approx(1)
    assert first["rewards/odd/variance_share"] == 0
    assert 0 <= first["rewards/collapse"] < 1
    assert first["completions/length_drift"] == 1.0
    assert first["completions/repetition"] == 0.0
    _, second = ask(board, ["a b c d a b c d", "a b", "a b", "a b"], [0, 0, 1, 1])
    assert second["completions/length_drift"] == pytest.approx((8 + 2 + 2 + 2) / (1 + 1 + 1 + 2))
    assert second["completions/repetition"] == pytest.approx(1 / 5 / 4)
    assert board.failure_metrics() == {"train/failures/odd": 1.0}


def test_the_newest_batch_is_a_table_with_the_breakdown():
    board = board_of(Term("words", Calls(), weight=2), Term("right", known), aggregation="sum_then_normalize")
    ask(board, ["r0", "none at all", "r2", "x"], [0, 0, 2, 2])
    newest = board.newest
    assert list(newest) == ["prompt", "completion", "reference", "words", "right", "reward", "advantage"]
    assert newest["prompt"] == ["q0", "q0", "q2", "q2"] and newest["reference"] == ["r0", "r0", "r2", "r2"]
    assert newest["right"] == [1, None, 1, 0] and newest["reward"] == [3, 6, 3, 2]
    assert newest["advantage"] == pytest.approx(np.array([-1, 1, 1, -1]) * math.sqrt(0.5), abs=1e-3)


def test_a_completion_without_any_value_has_no_reward_and_no_advantage():
    board = board_of(Term("right", known))
    columns, logged = ask(board, ["none", "r0", "none", "none"], [0, 0, 1, 1])
    assert columns == [[None, 1.0, None, None]]
    assert board.newest["reward"] == [None, 1.0, None, None]
    assert board.newest["advantage"] == [0, 0, 0, 0]
    assert all(map(math.isfinite, logged.values()))


class State:
    """Where the trainer is."""

    def __init__(self, step: int, steps: int = 7) -> None:
        self.global_step, self.max_steps = step, steps


class Recorder:
    """Remembers tables."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def table(self, name: str, columns: Any, step: int) -> None:
        self.steps.append(step)


@pytest.mark.parametrize(("every", "expected"), [(0, []), (3, [1, 3, 6, 7]), (1, [1, 2, 3, 4, 5, 6, 7]), (100, [1, 7])])
def test_tables_are_recorded_first_last_and_every_so_many_steps(every, expected):
    record = Recorder()
    callback = Tables(board_of(), record, every)
    for step in range(1, 8):
        callback.on_step_end(None, State(step), None)
    assert record.steps == expected


def test_what_was_counted_goes_on_after_an_interruption():
    first, second = board_of(Term("odd", odd)), board_of(Term("odd", odd))
    ask(first, ["odd b", "a", "c", "d"], [0, 0, 1, 1])
    kept = json.loads(json.dumps(Tables(first, Recorder(), 1).state()))
    state = State(4)
    state.stateful_callbacks = {"Tables": kept}
    Tables(second, Recorder(), 1).on_train_begin(None, state, None)
    _, logged = ask(second, ["odd b", "a", "c", "d"], [0, 0, 1, 1])
    assert second.failure_metrics() == {"train/failures/odd": 2 * first.failure_metrics()["train/failures/odd"]}
    assert logged["completions/length_drift"] == 1.0
    second.count_on({"first_length": 1000.0, "failures": {}})
    assert ask(second, ["a", "b", "c", "d"], [0, 0, 1, 1])[1]["completions/length_drift"] < 0.1


# --- proxy and gold --------------------------------------------------------------------------------------------------


@pytest.fixture
def watch(tmp_path):
    config = Config(method=GrpoMethod(gold_steps=1))
    return GoldWatch(config, board_of()._composition, SAMPLES, None, None, tmp_path / "note.json")


RNG = np.random.default_rng(0)
FLAT, NOISE = np.zeros(32), RNG.normal(0, 0.05, 32)


def looked(watch: GoldWatch, proxy: tuple[Any, Any], gold: tuple[Any, Any]) -> dict[str, float]:
    watch.first, watch.last = (proxy[0], gold[0]), (proxy[1], gold[1])
    return watch.verdict()


@pytest.mark.parametrize(
    ("proxy", "gold", "diverged"),
    [
        ((FLAT, FLAT + 0.5), (FLAT, FLAT), 1),
        ((FLAT, NOISE + 0.5), (FLAT, NOISE), 1),
        ((FLAT, NOISE + 0.5), (FLAT, NOISE - 0.5), 1),
        ((FLAT, NOISE + 0.5), (FLAT, NOISE + 0.5), 0),
        ((FLAT, NOISE), (FLAT, NOISE - 0.5), 0),
        ((FLAT, FLAT), (FLAT, FLAT), 0),
        ((FLAT, NOISE - 0.5), (FLAT, FLAT), 0),
    ],
    ids=["up flat", "up noisy", "up down", "up up", "noisy down", "flat flat", "down flat"],
)
def test_divergence_is_a_proxy_that_surely_rose_without_the_gold_reward(watch, proxy, gold, diverged):
    found = looked(watch, proxy, gold)
    assert found["gold/divergence"] == diverged
    for name, (first, last) in (("proxy", proxy), ("reward", gold)):
        assert found[f"gold/{name}_first"] == pytest.approx(first.mean())
        assert found[f"gold/{name}_last"] == pytest.approx(last.mean())
        assert found[f"gold/{name}_delta"] == pytest.approx((last - first).mean())
        assert found[f"gold/{name}_delta_ci_low"] <= found[f"gold/{name}_delta"] <= found[f"gold/{name}_delta_ci_high"]


def test_prompts_without_a_value_before_or_after_are_left_out_of_the_change(watch):
    before, after = np.array([0.0, math.nan, 0.0, 0.0]), np.array([1.0, 1.0, math.nan, 1.0])
    found = looked(watch, (before, after), (before, after))
    assert found["gold/proxy_delta"] == 1.0 and found["gold/proxy_last"] == 1.0
    assert looked(watch, (before, after), (before * math.nan, after)) == {}


def test_a_policy_that_was_seen_once_or_never_has_no_verdict(watch):
    assert watch.verdict() == {}
    watch.first = watch.last = (FLAT, FLAT)
    assert watch.verdict() == {}
