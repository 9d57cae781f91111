from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trivium.scorers.base import Cached, digest
from trivium.scorers.load import Scorers
from trivium.scores.ask import Embed, Entail, Parse


def test_what_is_repeated_is_asked_once_within_a_batch_and_over_batches(recorder: Any) -> None:
    cached = Cached(recorder)
    assert cached([Embed("a"), Embed("bb"), Embed("a")]) == [1, 2, 1]
    assert cached([Embed("bb"), Embed("ccc")]) == [2, 3]
    assert recorder.calls == [[Embed("a"), Embed("bb")], [Embed("ccc")]]
    counts = cached.counters
    assert (counts.asked, counts.hits, counts.misses, counts.failed) == (5, 2, 3, 0)


def test_a_batch_of_known_questions_does_not_reach_the_model(recorder: Any) -> None:
    cached = Cached(recorder)
    cached([Embed("a")])
    cached([Embed("a")] * 3)
    assert len(recorder.calls) == 1 and cached([]) == [] and len(recorder.calls) == 1


def test_failures_are_none_counted_with_a_reason_and_not_tried_again(recorder: Any) -> None:
    cached = Cached(recorder)
    assert cached([Embed(""), Embed("a")]) == [None, 1]
    assert cached([Embed("")]) == [None]
    assert cached.counters.failed == 2 and cached.counters.failures == {"empty": 1} and len(recorder.calls) == 1
    assert cached.counters.flat()["failed/empty"] == 1


def test_the_cache_is_bounded_and_keeps_what_was_used_last(recorder: Any) -> None:
    cached = Cached(recorder, size=2)
    cached([Embed("a")])
    cached([Embed("b")])
    cached([Embed("a")])
    cached([Embed("c")])
    cached([Embed("a")])
    assert [call[0].text for call in recorder.calls] == ["a", "b", "c"]
    cached([Embed("b")])
    assert len(recorder.calls) == 4


def test_more_questions_than_the_cache_holds_are_all_answered(recorder: Any) -> None:
    cached = Cached(recorder, size=3)
    assert cached([Embed("x" * n) for n in range(1, 11)]) == list(range(1, 11))


def test_the_models_time_is_measured(recorder: Any) -> None:
    ticks = iter((1.0, 3.5))
    cached = Cached(recorder, clock=lambda: next(ticks))
    cached([Embed("a")])
    cached([Embed("a")])
    assert cached.counters.seconds == 2.5


def test_long_texts_do_not_stay_in_the_cache(recorder: Any) -> None:
    cached = Cached(recorder)
    cached([Embed("x" * 100_000)])
    assert all(len(key) == 32 for key in cached._known)


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_different_questions_have_different_keys(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (digest(Entail(*one)) == digest(Entail(*other))) == (one == other)


def test_types_and_lone_surrogates_are_told_apart() -> None:
    assert len({digest(q) for q in (Embed("a"), Parse("a"), Embed("\ud800"), Embed("\udfff"), Entail("a", ""))}) == 5


def test_mixed_questions_go_to_their_scorers_in_one_call_each() -> None:
    class Named:
        def __init__(self, name: str) -> None:
            self.name, self.failures, self.calls = name, Counter(), 0

        def __call__(self, questions: Any) -> list[str]:
            self.calls += 1
            return [f"{self.name} {question[0]}" for question in questions]

    parts = {name: Named(name) for name in ("nli", "embeddings", "syntax")}
    scorers = Scorers(parts.__getitem__)
    asked = [Parse("a"), Entail("b", "c"), Embed("d"), Parse("e"), Parse("a")]
    assert scorers.answer(asked) == ["syntax a", "nli b", "embeddings d", "syntax e", "syntax a"]
    assert [part.calls for part in parts.values()] == [1, 1, 1]
    assert scorers.counters()["syntax"].hits == 1 and scorers.counters()["nli"].misses == 1
