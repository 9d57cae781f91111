"""A real server and real models behind it: rows come out of one that was taught the form, and an untaught one is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from taught import serving, teach

from trivium.data.jsonl import to_line
from trivium.data.rejects import Rejects
from trivium.errors import DataError
from trivium.generation import persona, run
from trivium.schema import ChecksConfig, LibraryConfig, OpenAIGenerator

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("served") / "log") as url:
        yield url


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return teach(tmp_path_factory.mktemp("taught"))


def ask(url: str, model: Path, passages: Path, ledger: Path, report: run.Report, rejects: Rejects) -> list[Any]:
    generator = OpenAIGenerator(
        base_url=url, model=str(model), examples_per_passage=1, max_tokens=120, temperature=0.6, concurrency=4, timeout=60.0
    )
    generator.checks = ChecksConfig(attempts=2)
    library = LibraryConfig(persona="keeper", components={"core": {"size": 8}})
    who = persona.load("keeper")
    return list(run.generate(generator, library, who, passages, ledger, rejects, lambda step, done: None, report))


def test_rows_come_from_a_real_server(served: str, taught: Path, passages: Path, tmp_path: Path) -> None:
    first, again, rejects = run.Report(), run.Report(), Rejects()
    rows = ask(served, taught, passages, tmp_path / "ledger", first, rejects)
    assert 4 <= len(rows) == first.written, rejects.first()
    assert all(row.text.startswith("Aye. I tell you") and row.question.startswith("What is told") for row in rows)
    assert first.teacher["prompt_tokens"] > 8 * 100 and first.teacher["reply_tokens"] > 8 * 20
    repeated = ask(served, taught, passages, tmp_path / "ledger", again, Rejects())
    assert again.teacher["requests"] == 0 and [to_line(row) for row in repeated] == [to_line(row) for row in rows]


def test_an_untaught_model_is_refused_with_the_reason(served: str, random_model: Path, passages: Path, tmp_path: Path) -> None:
    report = run.Report()
    reason = r"the reply (is empty|holds no question with an answer); for example work0#\d/core/0"
    with pytest.raises(DataError, match=rf"0 of 8 conversations passed, at least 4 must .*{reason}"):
        ask(served, random_model, passages, tmp_path / "ledger", report, Rejects())
    assert report.teacher["requests"] == 16 and sum(report.failures.values()) == 8
