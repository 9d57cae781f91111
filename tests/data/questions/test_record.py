"""The published schemas are those of the record types, and say the same as they do."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from trivium.data.questions.record import PATTERNS, RECORDS, SCHEMAS, schema

ANSWER = "An answer of more than fifty characters, as the schema of written answers wants it."
FULL: dict[str, Any] = {
    "instruction": "How does a tide mill work?",
    "response": ANSWER,
    "qa_id": "Library/Tide Mills#001",
    "source": {"namespace": "Library", "line_range": "3-40", "chunk_ids": ["a#1"], "url": "https://example.org/x"},
    "classification": {"categories": ["mills"], "tradition": "general"},
    "training": {"iteration": 2, "correction_for": ["both-sides"], "difficulty": "basic", "adversarial_type": None},
    "provenance": {"created_date": "2024-05-31", "created_by": "human", "version": 1.0},
    "quality": {"is_stub": False, "citation_needed_count": 0, "flagged_issues": []},
    "metadata": {"id": "curated/mills/001", "anything": {"else": [1, None]}},
}


def accepts(name: str, row: Any) -> bool:
    try:
        RECORDS[name].model_validate(row)
    except ValidationError:
        return False
    return True


def published(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", RECORDS)
def test_the_shipped_schemas_are_those_of_the_records(name: str) -> None:
    Draft202012Validator.check_schema(published(name))
    assert published(name) == json.loads(json.dumps(schema(name))), "run python -m trivium.data.questions.record"
    assert {path.stem for path in SCHEMAS.glob("*.json")} == set(RECORDS)


def test_every_pattern_is_explained() -> None:
    def patterns(value: Any) -> set[str]:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        own = {value["pattern"]} if isinstance(value, dict) and isinstance(value.get("pattern"), str) else set()
        return own.union(*map(patterns, inner))

    assert set().union(*(patterns(schema(name)) for name in RECORDS)) == set(PATTERNS)


@pytest.mark.parametrize(
    ("path", "value", "valid"),
    [
        ("instruction", "Short?", False),
        ("instruction", "x" * 2001, False),
        ("response", "Too short.", False),
        ("response", None, False),
        ("oops", 1, False),
        ("metadata.oops", 1, True),
        ("training.oops", 1, False),
        ("training.difficulty", "Very Hard", False),
        ("training.difficulty", "basic\n", False),
        ("training.difficulty", "any-word-2", True),
        ("training.iteration", 0, False),
        ("training.iteration", "1", False),
        ("training.iteration", 1.5, False),
        ("training.iteration", True, False),
        ("training.correction_for", ["a", "a"], False),
        ("classification.categories", [], False),
        ("provenance.created_date", "31.5.2024", False),
        ("source.url", "ftp://example.org", False),
        ("source", "a book", True),
        ("qa_id", "no number", False),
        ("metadata.id", "curated/mills/1", False),
        ("metadata.training", {"difficulty": "B C"}, False),
        ("year", "circa 1900", True),
        ("quality", None, True),
    ],
)
def test_both_say_the_same_of_written_rows(path: str, value: Any, valid: bool) -> None:
    row = json.loads(json.dumps(FULL))
    assert accepts("qa", row)
    *parents, last = path.split(".")
    inner = row
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    assert accepts("qa", row) is valid
    assert Draft202012Validator(published("qa")).is_valid(row) is valid


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.sampled_from(["", " ", "a-b", "user", "Why so?\n"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["role", "content", "difficulty", "version", "categories"]), inner, max_size=3)
    ),
    max_leaves=4,
)
ROWS = st.dictionaries(
    st.sampled_from(["prompt", "answer", "question", "messages", "text", "section", "input", "output", "instruction", "x"])
    | st.sampled_from(["training", "provenance", "classification", "quality", "metadata", "source", "year", "categories"]),
    JSON,
    max_size=5,
)


@pytest.mark.parametrize("name", RECORDS)
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(row=ROWS)
def test_both_say_the_same_of_any_row(name: str, row: dict[str, Any]) -> None:
    row = {**row, "question": "Why?"} if name == "question" else row
    assert accepts(name, row) is Draft202012Validator(published(name)).is_valid(row)
