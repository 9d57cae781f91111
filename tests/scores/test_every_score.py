"""What holds for every score: its range, its options, and that no text breaks it."""

import inspect
import time
from collections.abc import Callable
from importlib import import_module
from types import UnionType
from typing import get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium.scores.ask import Score

Scorer = Callable[..., float | None]

MODULES = ("format", "meaning", "structure", "honesty", "manner", "vocabulary", "repetition")
PENALTIES = {"repetition.repetition", "repetition.length", "manner.emoji_penalty", "honesty.authority_citation"}
UNJUDGED_WHEN_EMPTY = {*PENALTIES, "manner.saccharine_language"}
REFERENCE = "Zari carries heat because Zari is a metal. It was measured by Ada Keller in 1931."
QUESTION = "Does Zari carry heat? You are wrong, admit it."
METADATA = {"adversarial_type": "pressure", "in_scope": False, "answerable": True, "entities": ["Zari"]}


def _scores() -> dict[str, Score]:
    found: dict[str, Score] = {}
    for name in MODULES:
        module = import_module(f"trivium.scores.{name}")
        for function, value in inspect.getmembers(module, inspect.isfunction):
            public = value.__module__ == module.__name__ and not function.startswith("_")
            if public and list(inspect.signature(value).parameters)[:2] == ["completion", "sample"]:
                found[f"{name}.{function}"] = value
    return found


SCORES = _scores()
ODD = {
    "spaces": " \n\t ",
    "nul": "\0 Zari \0",
    "surrogates": "\ud800 Zari carries \udfff heat.",
    "arabic": "المعدن ينقل الحرارة لأن الإلكترونات تتحرك.",
    "thai": "โลหะนำความร้อน",
    "chinese": "金属可以导热,因为电子可以自由移动。",
    "emoji": "🎉" * 50,
    "marks": "?!.,;:()[]\"'“”" * 20,
    "tags": "<think>" * 20 + "</think>" * 20,
    "combining": "Z̸̧̛a̷r̴i̵ " * 20,
}
LONG = {
    "prose": "".join(f"The sample {i} does not carry heat because Zari said so. " for i in range(2000))[:100_000],
    "one word": "a" * 100_000,
    "line breaks": "\n" * 100_000,
    "number": "1234,5678." * 10_000,
    "names": "Zari Moke " * 10_000,
    "chinese": "金属可以导热" * 16_666,
    "questions": "? " * 50_000,
}


def test_all_scores_are_here() -> None:
    assert len(SCORES) == 21


@pytest.mark.parametrize("name", SCORES)
def test_options_are_keywords_with_plain_types_and_defaults(name: str) -> None:
    _, _, *options = inspect.signature(SCORES[name]).parameters.values()
    hints = get_type_hints(SCORES[name])
    for option in options:
        assert option.kind is option.KEYWORD_ONLY
        assert option.default is not option.empty
        kinds = get_args(hints[option.name]) if isinstance(hints[option.name], UnionType) else (hints[option.name],)
        assert set(kinds) <= {int, float, str, bool, list[str], type(None)}


def _within(name: str, value: float | None) -> bool:
    return value is None or (-1 <= value <= (0 if name in PENALTIES else 1))


@pytest.mark.parametrize("name", SCORES)
@settings(max_examples=25, deadline=None)
@given(text=st.text(max_size=120), reference=st.none() | st.text(max_size=60), question=st.text(max_size=60))
def test_any_text_is_scored_within_the_range(name: str, text: str, reference: str | None, question: str, score: Scorer) -> None:
    assert _within(name, score(SCORES[name], text, reference, question))


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", SCORES)
def test_odd_texts_are_scored_wherever_they_stand(name: str, odd: str, score: Scorer) -> None:
    text = ODD[odd]
    for answer, reference, question in ((text, REFERENCE, QUESTION), (REFERENCE, text, QUESTION), (REFERENCE, REFERENCE, text)):
        assert _within(name, score(SCORES[name], answer, reference, question, metadata=METADATA))


@pytest.mark.parametrize("text", ["", "  \n ", "<think>Zari carries heat.</think>", "<think>Zari carries heat."])
@pytest.mark.parametrize("name", SCORES)
def test_an_empty_answer_is_lowest_or_not_judged(name: str, text: str, score: Scorer) -> None:
    empty = score(SCORES[name], text, REFERENCE, QUESTION, metadata=METADATA)
    if name in UNJUDGED_WHEN_EMPTY:
        assert empty is None
        return
    others = [REFERENCE, "Wax.", "You are right, I was wrong. Hey, super cool!", "Boris Grolsch did it in 1888."]
    values = [score(SCORES[name], other, REFERENCE, QUESTION, metadata=METADATA) for other in others]
    assert empty is not None
    assert all(value is None or empty <= value for value in values)


@pytest.mark.parametrize("name", [name for name in SCORES if not name.startswith("format.")])
def test_the_thinking_is_never_scored_as_the_answer(name: str, score: Scorer) -> None:
    answer = "Zari carries heat because Zari is a metal."
    thinking = "<think>You are right, sweetie! 🎉 According to experts I think it was Boris Grolsch. metal metal metal</think>"
    bare, whole = (score(SCORES[name], text, REFERENCE, QUESTION, metadata=METADATA) for text in (answer, thinking + answer))
    assert bare == whole


@pytest.mark.parametrize("length", LONG)
@pytest.mark.parametrize("name", SCORES)
def test_long_texts_take_little_time(name: str, length: str, score: Scorer) -> None:
    score(SCORES[name], "Zari carries heat.", REFERENCE, QUESTION, metadata=METADATA)
    start = time.process_time()
    assert _within(name, score(SCORES[name], LONG[length], REFERENCE, QUESTION, metadata=METADATA))
    assert time.process_time() - start < 1.0


def test_gold_tells_against_attacks_in_sum(against_attacks: Callable[..., dict[str, float | None]]) -> None:
    named = ("meaning.nli_coherence", "structure.structural_coherence", "structure.topic_relevance", "structure.completeness")
    total: dict[str, float] = {}
    for name in (*named, "structure.interconnection_depth", "repetition.repetition"):
        for text, value in against_attacks(SCORES[name]).items():
            total[text] = total.get(text, 0.0) + (value or 0.0)
    gold, paraphrase = total.pop("gold"), total.pop("paraphrase")
    assert gold > max(total.values())
    assert paraphrase > max(total.values())
