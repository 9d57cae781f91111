"""Questions for pieces of articles: what they are made from, in which order, and that the seed decides."""

from typing import Any

import pytest

from trivium.data.questions.generate import WORDINGS, question
from trivium.data.questions.rows import Rows
from trivium.data.rejects import BadRow, Rejects
from trivium.schema import DatasetConfig, QuestionsConfig

CHUNK: dict[str, Any] = {
    "title": "Tide_mill",
    "section": "Wheels",
    "internal_links": ["Tide mill", "[[Undershot_wheel|wheel]]"],
    "categories": ["Mills"],
}


@pytest.mark.parametrize(
    ("without", "kind", "about"),
    [
        ((), "section", "Wheels"),
        (("section",), "concept", "Undershot wheel"),
        (("section", "internal_links"), "category", "Mills"),
        (("section", "internal_links", "categories"), "title", "Tide mill"),
    ],
)
def test_the_most_telling_comes_first(without: tuple[str, ...], kind: str, about: str) -> None:
    made = question({name: value for name, value in CHUNK.items() if name not in without}, "0")
    assert made.kind == kind and about in made.text and "Tide mill" in made.text and "_" not in made.text


@pytest.mark.parametrize("empty", [None, "", " ", [], [None], "tide mill", {"a": 1}])
def test_what_says_nothing_is_passed_over(empty: Any) -> None:
    assert question({**CHUNK, "section": empty}, "0").kind == "concept"
    assert question({"title": "Tide mill", "internal_links": empty}, "0").kind == "title"


def test_the_seed_decides_among_all_wordings() -> None:
    made = [question(CHUNK, str(seed)).text for seed in range(40)]
    assert made == [question(CHUNK, str(seed)).text for seed in range(40)]
    assert len(set(made)) == len(WORDINGS["section"]) and all(2 <= len(w) <= 3 for w in WORDINGS.values())


def test_braces_in_titles_are_letters() -> None:
    assert "{x}" in question({"title": "The set {x}"}, "0").text


def test_a_row_gets_its_question_and_its_text_is_the_reference() -> None:
    rows = Rows(DatasetConfig(questions=QuestionsConfig(generate=True)), Rejects())
    row = {"text": "It has a wheel.", "article_title": "Tide mill", "section": "Wheels", "word_count": 4}
    sample = rows.sample(row, "a.jsonl", 1)
    assert sample.reference == "It has a wheel." and "Wheels" in sample.question and sample.document == "Tide mill"
    assert sample.metadata["question_from"] == "section" and "text" not in sample.metadata
    with pytest.raises(BadRow, match="a title or article_title"):
        rows.sample({"text": "It has a wheel."}, "a.jsonl", 2)
    asked = rows.sample({"question": "Why?", "answer": "Because.", "text": "It has a wheel."}, "a.jsonl", 3)
    assert asked.reference == "Because." and asked.metadata["text"] == "It has a wheel."
