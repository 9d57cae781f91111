"""Every prompt against every row, and nothing that is not there."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.data.contamination import Hit, scan
from trivium.schema import ContaminationConfig

CONFIG = ContaminationConfig(ngram=4, jaccard=0.6)
WORDS = st.lists(st.sampled_from("abcdefgh"), min_size=0, max_size=12)


@pytest.mark.parametrize(
    ("row", "kind", "value"),
    [
        ("It says: which source IS the most reliable, for this?", "exact", 1.0),
        ("Ask which source is the most useful", "ngram", 2 / 4),
        ("The most reliable source: which for is this, really", "jaccard", 8 / 9),
        ("A source of the most ordinary kind", None, 0),
    ],
)
def test_kinds(row: str, kind: str | None, value: float) -> None:
    prompt = "Which source is the most reliable for this?"
    prompts = ["Quite another question is asked here, of course.", prompt]
    found = scan(prompts, ["nothing at all", row], CONFIG)
    if kind == "ngram":
        value = 2 / 5
    assert found == ([Hit(1, kind, 1, pytest.approx(value))] if kind else [])


def test_short_prompts_are_found_whole_only() -> None:
    found = scan(["Who was Brandt?", "Why?"], ["Who was Adler? Why?", "And who was Brandt?"], CONFIG)
    assert found == [Hit(0, "exact", 1, 1.0)]


def test_the_strongest_hit_of_a_prompt_stands_and_rows_are_streamed() -> None:
    def rows() -> Iterator[str]:
        yield "one two three four nine"
        yield "one two three four five six"
        yield "one two three four five six"

    assert scan(["one two three four five six"], rows(), CONFIG) == [Hit(0, "exact", 1, 1.0)]


@given(WORDS, WORDS)
def test_agrees_with_the_definitions(prompt: list[str], row: list[str]) -> None:
    size, least = CONFIG.ngram, CONFIG.jaccard
    holds = any(row[i : i + len(prompt)] == prompt for i in range(len(row) - len(prompt) + 1))
    mine = {tuple(prompt[i : i + size]) for i in range(len(prompt) - size + 1)}
    theirs = {tuple(row[i : i + size]) for i in range(len(row) - size + 1)}
    union = set(prompt) | set(row)
    similar = len(set(prompt) & set(row)) / len(union) if union else 0.0
    expected = None
    if len(prompt) >= 3 and holds:
        expected = "exact"
    elif mine & theirs:
        expected = "ngram"
    elif prompt and similar >= least:
        expected = "jaccard"
    found = scan([" ".join(prompt)], [" ".join(row)], CONFIG)
    assert [hit.kind for hit in found] == ([expected] if expected else [])
