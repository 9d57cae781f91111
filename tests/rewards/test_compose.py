"""Many scores advance together: models are asked in rounds, failures are counted, layers are climbed in order."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.errors import ConfigError
from trivium.rewards.compose import BLOCKED, RAISED, Composition, Table, climbed
from trivium.rewards.terms import Term
from trivium.sample import Sample
from trivium.scores.ask import Asking, Embed, Question
from trivium.scores.completion import Completion, split


class Answerer:
    """Answers a text with its length, and None for what it cannot answer; remembers every batch."""

    def __init__(self, unanswerable: str = "?") -> None:
        self.batches: list[list[str]] = []
        self.unanswerable = unanswerable

    def __call__(self, questions: Sequence[Question]) -> list[Any]:
        texts = [question.text for question in questions if isinstance(question, Embed)]
        assert len(texts) == len(questions)
        self.batches.append(texts)
        return [None if self.unanswerable in text else len(text) for text in texts]


def words(completion: Completion, sample: Sample, *, times: float = 1.0) -> float:
    return times * len(completion.answer.split())


def once(completion: Completion, sample: Sample) -> Asking:
    (found,) = yield [Embed(completion.answer)]
    return float(found)


def twice(completion: Completion, sample: Sample) -> Asking:
    first, second = yield [Embed(completion.answer), Embed(sample.id)]
    (third,) = yield [Embed(f"{completion.answer} again")]
    return float(first + second + third)


def no_reference(completion: Completion, sample: Sample) -> float | None:
    return None if sample.reference is None else 1.0


def asks_nothing(completion: Completion, sample: Sample) -> Asking:
    if completion.answer:
        return 0.5
    yield []


def sample(name: str = "s") -> Sample:
    return Sample(id=name, messages=[{"role": "user", "content": "q"}])


def scored(terms: list[Term], texts: list[str], answer: Any = None, samples: list[Sample] | None = None) -> Table:
    shared = sample()
    return Composition(terms, answer or Answerer()).score([split(t) for t in texts], samples or [shared] * len(texts))


def test_values_stand_by_completion_and_term_in_the_order_given() -> None:
    terms = [Term("long", words, args={"times": 10}), Term("length", once), Term("words", words)]
    table = scored(terms, ["a b c", "d", "e f"])
    assert table.names == ["long", "length", "words"]
    assert table.raw.tolist() == [[30, 5, 3], [10, 1, 1], [20, 3, 2]]
    assert table.column("length") == [5.0, 1.0, 3.0]


def test_all_scores_of_all_completions_ask_in_one_batch_a_round() -> None:
    answer = Answerer()
    terms = [Term("one", once), Term("two", twice), Term("pure", words), Term("too", twice)]
    table = scored(terms, ["aa", "b", "ccc"], answer)
    assert len(answer.batches) == 2
    assert sorted(answer.batches[0]) == sorted(["aa", "b", "ccc"] * 3 + ["s"] * 6)
    assert sorted(answer.batches[1]) == sorted(["aa again", "b again", "ccc again"] * 2)
    assert table.raw[:, 1].tolist() == [2 + 1 + 8, 1 + 1 + 7, 3 + 1 + 9]


def test_pure_scores_ask_nothing() -> None:
    answer = Answerer()
    assert scored([Term("pure", words), Term("silent", asks_nothing)], ["a", "b"], answer).raw[:, 1].tolist() == [0.5, 0.5]
    assert answer.batches == []


def test_a_repeated_completion_of_one_sample_is_scored_once() -> None:
    calls: list[str] = []

    def counted(completion: Completion, sample: Sample) -> Asking:
        calls.append(f"{sample.id} {completion.text}")
        (found,) = yield [Embed(completion.text)]
        return float(found)

    answer, one, other = Answerer(), sample("one"), sample("other")
    texts, samples = ["aa", "b", "aa", "aa", "b"], [one, one, one, other, one]
    table = scored([Term("t", counted)], texts, answer, samples)
    assert sorted(calls) == ["one aa", "one b", "other aa"]
    assert sorted(answer.batches[0]) == ["aa", "aa", "b"]
    assert table.column("t") == [2.0, 1.0, 2.0, 2.0, 1.0]


def test_none_is_missing_and_no_failure() -> None:
    table = scored([Term("given", no_reference), Term("pure", words)], ["a", "b c"])
    assert table.column("given") == [None, None]
    assert table.failures == {}
    assert table.total.tolist() == [1.0, 2.0]


def test_an_answer_that_could_not_be_had_is_missing_and_counted_and_the_others_go_on() -> None:
    answer = Answerer()
    table = scored([Term("two", twice), Term("one", once), Term("pure", words)], ["a?", "b", "c?"], answer)
    assert table.column("two") == [None, 1.0 + 1.0 + 7.0, None]
    assert table.column("one") == [None, 1.0, None]
    assert table.column("pure") == [1.0, 1.0, 1.0]
    assert table.failures == {"two": 2, "one": 2}
    assert answer.batches[1] == ["b again"]


def test_an_answer_missing_in_a_later_round_ends_only_that_score() -> None:
    table = scored([Term("two", twice), Term("one", once)], ["a", "b"], Answerer("a again"))
    assert table.column("two") == [None, 9.0]
    assert table.column("one") == [1.0, 1.0]
    assert table.failures == {"two": 1}


def raising(error: type[Exception], before: bool) -> Callable[..., Any]:
    def fails(completion: Completion, sample: Sample) -> Asking:
        if before and "bad" in completion.text:
            raise error(f"odd input {completion.text}")
        (found,) = yield [Embed(completion.text)]
        if "bad" in completion.text:
            raise error(f"odd input {completion.text}")
        return float(found)

    return fails


@pytest.mark.parametrize("before", [True, False], ids=["at once", "after asking"])
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyError, IndexError, ValueError, RecursionError, MemoryError])
def test_a_score_that_raises_is_missing_and_counted_and_told_once(
    error: type[Exception], before: bool, caplog: pytest.LogCaptureFixture
) -> None:
    composition = Composition([Term("odd", raising(error, before)), Term("fine", once)], Answerer())
    completions, shared = [split(text) for text in ("bad", "good", "bad too")], sample()
    for _ in range(2):
        table = composition.score(completions, [shared] * 3)
        assert table.column("odd") == [None, 4.0, None]
        assert table.column("fine") == [3.0, 4.0, 7.0]
        assert table.failures == {"odd": 2}
    (record,) = caplog.records
    assert "odd raised" in record.getMessage() and "odd input" in record.getMessage()


def test_a_pure_score_that_raises_is_missing_too() -> None:
    def divides(completion: Completion, sample: Sample) -> float:
        return 1 / len(completion.answer)

    table = scored([Term("d", divides)], ["", "ab"])
    assert (table.column("d"), table.failures) == ([None, 0.5], {"d": 1})


def test_what_no_score_should_raise_is_not_swallowed() -> None:
    assert not any(issubclass(kind, RAISED) for kind in (AssertionError, KeyboardInterrupt, SystemExit, OSError))
    with pytest.raises(AssertionError):
        scored([Term("t", raising(AssertionError, True))], ["bad"])


def test_an_option_that_cannot_be_used_is_an_error_and_no_missing_value() -> None:
    with pytest.raises(ConfigError, match="no such lexicon"):
        scored([Term("t", raising(ConfigError, False))], ["bad: no such lexicon"])


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_value_that_is_not_finite_is_missing_and_counted(value: float) -> None:
    def wild(completion: Completion, sample: Sample) -> float:
        return value if "bad" in completion.text else 0.5

    table = scored([Term("wild", wild), Term("pure", words)], ["bad", "good"])
    assert table.column("wild") == [None, 0.5]
    assert table.failures == {"wild": 1}
    assert table.total.tolist() == [1.0, 1.5]


def test_the_total_is_weighted_and_missing_where_every_value_is() -> None:
    def picky(completion: Completion, sample: Sample) -> float | None:
        return 1.0 if completion.text else None

    table = scored([Term("a", picky, weight=2), Term("b", picky, weight=0.5)], ["x", ""])
    assert table.total[0] == 2.5
    assert np.isnan(table.total[1])


def test_no_terms_and_no_completions_are_nothing() -> None:
    empty = scored([], ["a", "b"])
    assert empty.raw.shape == (2, 0) and np.isnan(empty.total).all()
    nobody = scored([Term("pure", words), Term("one", once)], [])
    assert nobody.values.shape == (0, 2) and nobody.total.shape == (0,) and nobody.column("one") == []


def test_completions_and_samples_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="zip"):
        Composition([Term("pure", words)], Answerer()).score([split("a")], [])


# --- layers ----------------------------------------------------------------------------------------------------------

VALUES = st.floats(-1, 1, width=16)
TERMS = st.lists(
    st.builds(
        lambda layer, passes, weight: Term("t", words, weight=weight, layer=layer, passes=passes),
        st.integers(0, 4),
        st.none() | VALUES,
        st.floats(0, 3, width=16),
    ),
    min_size=1,
    max_size=6,
)


def total(values: Any, terms: Sequence[Term]) -> float:
    return float(np.nansum(climbed(np.array([values], float), terms) * [term.weight for term in terms]))


def failing_layer(row: Sequence[float], terms: Sequence[Term]) -> float:
    """The first layer of which a threshold is missed."""
    missed = [t.layer for value, t in zip(row, terms, strict=True) if t.passes is not None and value < t.passes]
    return min(missed, default=math.inf)


@given(TERMS, st.data())
def test_what_fails_a_layer_never_outdoes_what_is_as_good_up_to_there(terms: list[Term], data: st.DataObject) -> None:
    """Whatever the later layers hold: the worse completion up to the layer at which it fails is worth no more in all."""
    better = [data.draw(VALUES) for _ in terms]
    worse = [data.draw(st.floats(-1, value, width=16)) for value in better]
    failed = failing_layer(worse, terms)
    worse = [value if t.layer <= failed else data.draw(VALUES) for value, t in zip(worse, terms, strict=True)]
    assert total(worse, terms) <= total(better, terms) + 1e-9


@given(TERMS, st.data())
def test_only_what_lies_after_the_first_missed_layer_is_blocked(terms: list[Term], data: st.DataObject) -> None:
    row = [data.draw(VALUES | st.just(math.nan)) for _ in terms]
    found = climbed(np.array([row]), terms)[0]
    failed = failing_layer(row, terms)
    for value, result, term in zip(row, found, terms, strict=True):
        if math.isnan(value):
            assert math.isnan(result)
        else:
            assert result == (BLOCKED if term.layer > failed else value)


def test_a_threshold_that_is_met_exactly_is_passed_and_terms_of_the_same_layer_are_not_blocked() -> None:
    terms = [Term("gate", words, passes=0.5), Term("beside", words), Term("later", words, layer=1)]
    raw = np.array([[0.5, 1, 1], [0.25, 1, 1], [np.nan, 1, 1]])
    assert climbed(raw, terms)[:, 1:].tolist() == [[1, 1], [1, BLOCKED], [1, 1]]


def test_a_missing_value_neither_blocks_nor_is_blocked() -> None:
    terms = [Term("gate", words, passes=0), Term("middle", words, layer=1, passes=0), Term("last", words, layer=2)]
    found = climbed(np.array([[np.nan, 1, 1], [-1, np.nan, 1], [1, np.nan, 1]]), terms)
    assert np.isnan(found[0, 0]) and found[0, 1:].tolist() == [1, 1]
    assert np.isnan(found[1, 1]) and found[1, 2] == BLOCKED
    assert found[2, 2] == 1


def test_blocked_values_show_in_values_and_not_in_raw() -> None:
    table = scored([Term("gate", words, passes=2), Term("later", once, layer=3, weight=2)], ["a", "b c"])
    assert table.raw.tolist() == [[1, 1], [2, 3]]
    assert table.values.tolist() == [[1, BLOCKED], [2, 3]]
    assert table.total.tolist() == [1 - 2, 2 + 6]
