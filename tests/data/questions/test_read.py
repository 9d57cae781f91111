"""From rows of files to samples: every shape, every column, and what is not a question."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trivium.data.questions.read import Reader
from trivium.data.rejects import Rejects
from trivium.errors import DataError
from trivium.sample import Sample
from trivium.schema import DatasetConfig, QuestionsConfig

TURNS = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}]
LONG = "A tide mill fills its pond at high water and lets it out over a wheel at low water."

Read = Callable[..., tuple[list[Sample], Rejects]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Samples and the tally of a file of rows; a text stands for itself."""

    def call(*rows: Any, questions: Any = None, **config: Any) -> tuple[list[Sample], Rejects]:
        lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
        (tmp_path / "qa.jsonl").write_text("\n".join(lines), encoding="utf-8")
        rejects = Rejects()
        settings = DatasetConfig(path=str(tmp_path), questions=QuestionsConfig(**(questions or {})), **config)
        return list(Reader(settings, rejects).samples()), rejects

    return call


@pytest.mark.parametrize(
    "row",
    [
        {"messages": TURNS},
        {"prompt": TURNS[:1], "answer": "Because."},
        {"prompt": TURNS[:1], "completion": TURNS[1:]},
        {"prompt": "Why?", "answer": " Because.\r\n"},
        {"question": "Why?", "answer": "Because."},
        {"instruction": "Why?", "response": "Because."},
        {"instruction": "Why?", "input": "", "output": "Because."},
        {"instruction": None, "question": "Why?", "response": None, "answer": "Because."},
    ],
)
def test_shapes(read: Read, row: dict[str, Any]) -> None:
    (sample,), rejects = read(row)
    assert sample.messages == TURNS and sample.reference == sample.text == "Because." and sample.question == "Why?"
    assert sample.id == sample.document == "qa.jsonl:1" and sample.origin == "qa.jsonl" and not rejects.count
    assert "Because." not in json.dumps(sample.metadata)


def test_input_own_names_and_whole_conversations(read: Read) -> None:
    (first,), _ = read({"instruction": "Sum up.", "input": "A long story.", "output": "It was long."})
    assert first.question == "Sum up.\n\nA long story."
    (own,), _ = read({"q": "Why?", "a": "Because.", "id2": 3}, fields={"prompt": "q", "response": "a", "document": "id2"})
    assert own.messages == TURNS and own.document == "3" and own.metadata == {"id2": 3}
    chat = [{"role": "system", "content": "Be brief."}, *TURNS, {"role": "user", "content": "Really?"}]
    (talk,), rejects = read({"messages": chat})
    assert talk.messages == chat and talk.reference is None and talk.question == "Really?"
    assert list(rejects.notes) == ["row without a reference answer, kept"]


def test_every_other_column_is_metadata(read: Read) -> None:
    row = {
        "instruction": "Why?",
        "response": "Because.",
        "tags": ["a", "b"],
        "nothing": None,
        "training": {"difficulty": "basic", "iteration": 2},
        "metadata": {"entities": ["Linden"], "classification": {"tradition": "general"}, "tags": "not this one"},
        "iteration": 7,
        "title": "Mills",
        "year": "circa 1900",
    }
    (sample,), _ = read(row)
    assert sample.metadata == {
        "tags": ["a", "b"],
        "nothing": None,
        "training.difficulty": "basic",
        "difficulty": "basic",
        "training.iteration": 2,
        "iteration": 7,
        "entities": ["Linden"],
        "classification.tradition": "general",
        "title": "Mills",
        "year": "circa 1900",
    }
    assert (sample.title, sample.year) == ("Mills", 1900)


@pytest.mark.parametrize(
    ("row", "thinking", "reference", "noted"),
    [
        ({"answer": "4.", "thinking": "2 + 2"}, "2 + 2", "4.", 0),
        ({"answer": "<think>2 + 2</think>4."}, "2 + 2", "4.", 0),
        ({"answer": "<think>2 + 2</think>4.", "thinking": "told"}, "told", "4.", 0),
        ({"answer": "<think>2 + 2"}, None, None, 2),
        ({"answer": "4.", "thinking": 7}, None, "4.", 1),
        ({"answer": "4.", "thinking": " "}, None, "4.", 0),
        ({"thinking": "2 + 2"}, None, None, 1),
        ({"answer": "", "thinking": "2 + 2"}, None, None, 1),
        ({"answer": None}, None, None, 1),
        ({"answer": 4}, None, "4", 1),
        ({"answer": "4.", "metadata": {"thinking": "2 + 2"}}, "2 + 2", "4.", 0),
    ],
)
def test_thinking_and_missing_references(read: Read, row: Any, thinking: Any, reference: Any, noted: int) -> None:
    (sample,), rejects = read({"question": "2 + 2?", **row})
    assert (sample.thinking, sample.reference) == (thinking, reference) and "thinking" not in sample.metadata
    assert len([what for what in rejects.notes if "published schema" not in what]) == noted


def test_what_has_no_question_is_left_out_with_file_line_and_reason(read: Read) -> None:
    bad = [
        '{"question": broken',
        "[1]",
        {"answer": "Because."},
        {"question": "", "answer": "Because."},
        {"question": "  \n"},
        {"question": None, "answer": "Because."},
        {"question": 7, "answer": "Because."},
        {"question": "Why?", "answer": ["Because."]},
        {"question": "Why?", "answer": True},
        {"question": "with a \u0000 in it"},
        {"messages": []},
        {"messages": TURNS[1:]},
        {"messages": [{"role": "alien", "content": "?"}]},
        {"prompt": TURNS, "answer": "Because."},
        {"text": LONG, "title": "Tide mill"},
        '{"question": "Why?", "deep": ' + "[" * 500 + "]" * 500 + "}",
    ]
    samples, rejects = read(*bad, {"question": "Why?"})
    assert [sample.id for sample in samples] == [f"qa.jsonl:{len(bad) + 1}"]
    assert rejects.count == len(bad)
    assert rejects.reasons["no question"] == 8 and rejects.reasons["answer is not a text"] == 2
    assert rejects.first().startswith("qa.jsonl:1: not valid JSON")


def test_nothing_usable_is_an_error(read: Read) -> None:
    with pytest.raises(
        DataError, match=r"no question in .*; 1 lines or files were rejected\. The first: qa\.jsonl:1: no question"
    ):
        read({"text": LONG})
    with pytest.raises(DataError, match=r"dataset\.fields\.prompt: no row has a column 'qq'; columns found: question"):
        read({"question": "Why?"}, fields={"prompt": "qq"})
    with pytest.raises(DataError, match=r"dataset\.questions\.group: no row has a column 'work'"):
        read({"question": "Why?"}, questions={"group": "work"})


@pytest.mark.parametrize(
    "text", ["למה השמיים כחולים?", "لماذا السماء زرقاء؟", "なぜ空は青いのか。", "Ĝis — “ok” 🙂 \t x", "x" * 100_000]
)
def test_any_script_and_length_survives(read: Read, text: str) -> None:
    (sample,), _ = read({"question": text, "answer": text, "note": text})
    assert sample.question == sample.reference == sample.metadata["note"] == text


STRICT = {"validation": "strict"}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"instruction": "Why is this?", "response": "x" * 60, "metadata": {"training": {"difficulty": "Very Hard"}}}, None),
        (
            {"instruction": "Why?", "response": "x" * 60},
            r"instruction: set to 'Why\?'; string should have at least 10 characters",
        ),
        ({"instruction": "Why is this?"}, r"response: is missing; a record of type qa needs it"),
        (
            {"question": "Why?", "resposne": "x"},
            r"resposne: no such column .*; allowed are .*answer.*; your own columns go into",
        ),
        ({"question": 7}, r"question: set to 7; input should be a valid string"),
        ({"messages": [{"role": "alien", "content": "?"}]}, r"messages\.0\.role: set to 'alien'; allowed is system, user or"),
        ({"prompt": [{"role": "user"}]}, r"prompt\.0\.content: is missing"),
        ({"who": 1}, r"no type of record has the columns of this one \(who\); there are messages, prompt"),
        ({"question": "Why?", "source": {"url": "x"}}, r"source\.url: set to 'x'; allowed is an address"),
        ("{", r"not valid JSON"),
    ],
)
def test_strict_validation_names_place_path_and_what_is_allowed(read: Read, row: Any, said: str | None) -> None:
    said = said or r"metadata\.training\.difficulty: set to 'Very Hard'; allowed is lower-case words and numbers"
    with pytest.raises(DataError, match=rf"validation=strict: qa\.jsonl:2: .*{said}"):
        read({"question": "Why?"}, row, questions=STRICT)


def test_strict_validation_counts_the_rest_and_takes_what_is_right(read: Read) -> None:
    with pytest.raises(DataError, match=r"qa\.jsonl:3: .*, and 4 more\. Mend the rows"):
        read(*[{"question": 7}] * 7, questions=STRICT)
    good = [{"question": "Why?", "answer": None}, {"q": "Why?", "a": "Because.", "cot": "So.", "metadata": {"x": 1}}]
    samples, _ = read(good[0], questions=STRICT)
    assert samples[0].reference is None
    samples, _ = read(good[1], questions=STRICT | {"thinking": "cot"}, fields={"prompt": "q", "response": "a"})
    assert samples[0].thinking == "So." and samples[0].metadata == {"x": 1}


def test_lenient_validation_notes_what_breaks_the_schema(read: Read) -> None:
    samples, rejects = read({"question": "Why?", "own": 1}, {"question": "Why?", "training": {"difficulty": "B C"}})
    (note,) = (note for what, note in rejects.notes.items() if "published schema" in what)
    assert len(samples) == 2 and note.times == 1 and "training.difficulty" in note.first


def test_files_of_other_kinds(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(
        pyarrow.table({"question": ["Why?"], "answer": ["Because."], "m": [{"a": 1}]}), tmp_path / "a.parquet"
    )
    (tmp_path / "b.txt").write_text("Why?")
    (tmp_path / "c.jsonl").write_bytes(b"\0\1")
    rejects = Rejects()
    reader = Reader(DatasetConfig(path=str(tmp_path)), rejects)
    (sample,) = reader.samples()
    assert sample.messages == TURNS and sample.metadata == {"m.a": 1}
    assert [(s.file, s.rows, s.rejected, len(s.sha256)) for s in reader.sources] == [
        ("a.parquet", 1, 0, 64),
        ("b.txt", 0, 1, 64),
        ("c.jsonl", 0, 1, 64),
    ]
