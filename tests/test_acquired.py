"""From files to a prepared library on the command line: fetched, counted, read on by the dataset, and not fetched again."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

Call = Callable[..., "subprocess.CompletedProcess[str]"]
FETCH = ("acquire=files", "acquire.sources.files.path=shelf", "tracking=none")
LIBRARY = (
    *("experiment=persona", "arms=null", "dataset=library", "dataset.library.themes.lexicon=small_world"),
    *("dataset.library.general.share=0", "dataset.test_size=0.4"),
)
WORDS = ("tide", "lamp", "reef", "rope", "keel", "beacon", "gale", "mast", "wick", "sail", "shoal", "net")


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Four books with what is known of them, and one file that is none."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    about = []
    for number in range(4):
        rng = Random(number)
        told = [
            " ".join(f"The {rng.choice(WORDS)} was kept by the {rng.choice(WORDS)} {rng.randrange(999)}." for _ in range(9))
            for _ in range(8)
        ]
        (folder / f"b{number}.txt").write_text("\n\n".join(told) + "\n")
        about.append(
            {"file": f"b{number}.txt", "title": f"Log {number}", "author": "M. Lind", "year": 1850, "licence": "public"}
        )
    (folder / "books.jsonl").write_text("".join(json.dumps(row) + "\n" for row in about))
    (folder / "bad.txt").write_bytes(b"a\0b" * 99)
    return folder


def result_of(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return value


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_files_are_fetched_with_a_record_of_each(trivium: Call, shelf: Path, tmp_path: Path) -> None:
    done = trivium("stages=[acquire]", *FETCH, "hydra.run.dir=out")
    assert done.returncode == 0, done.stderr
    result = result_of(tmp_path / "out")
    assert {name: stage["status"] for name, stage in result["stages"].items()} == {"acquire": "done"}
    assert (tmp_path / result["stages"]["acquire"]["manifest"]).is_file()
    assert result["metrics"]["data/acquired/files/taken"] == 4
    records = lines(tmp_path / "data/raw/files/provenance.jsonl")
    assert {record["licence"] for record in records} == {"public"} and len(records) == 4
    assert all(len(record["sha256"]) == 64 for record in records)
    assert "Traceback" not in done.stderr and not (tmp_path / "data/cache").exists()


def test_a_library_without_a_path_reads_what_is_fetched(trivium: Call, shelf: Path, tmp_path: Path) -> None:
    words = (*LIBRARY, *FETCH, "stages=[acquire,prepare]", "hydra.run.dir=out")
    done = trivium(*words)
    assert done.returncode == 0, done.stderr
    result = result_of(tmp_path / "out")
    assert [stage["status"] for stage in result["stages"].values()] == ["done", "done"]
    (prepared,) = (tmp_path / "data/cache/prepared").iterdir()
    passages = lines(prepared / "passages.jsonl")
    assert len({passage["document"] for passage in passages}) == 4
    assert {passage["title"] for passage in passages} == {f"Log {number}" for number in range(4)}
    assert {passage["metadata"]["author"] for passage in passages} == {"M. Lind"}
    assert result["metrics"]["data/train"] > 0 < result["metrics"]["data/heldout"]
    again = trivium(*words)
    assert again.returncode == 0, again.stderr
    assert result_of(tmp_path / "out")["stages"]["prepare"]["status"] == "reused"
    later = trivium(*LIBRARY, *FETCH, "stages=[prepare]", "hydra.run.dir=later")
    assert later.returncode == 0, later.stderr
    assert result_of(tmp_path / "later")["stages"]["prepare"]["status"] == "reused"


def test_a_new_book_is_fetched_and_the_library_prepared_anew(trivium: Call, shelf: Path, tmp_path: Path) -> None:
    words = (*LIBRARY, *FETCH, "stages=[acquire,prepare]", "hydra.run.dir=out")
    (shelf / "b3.txt").rename(tmp_path / "later.txt")
    assert trivium(*words).returncode == 0
    assert result_of(tmp_path / "out")["metrics"]["data/acquired/files/taken"] == 3
    (tmp_path / "later.txt").rename(shelf / "b3.txt")
    done = trivium(*words)
    assert done.returncode == 0, done.stderr
    assert result_of(tmp_path / "out")["stages"]["prepare"]["status"] == "done"
    assert len(lines(tmp_path / "data/raw/files/provenance.jsonl")) == 4


def test_a_dry_run_only_counts(trivium: Call, shelf: Path, tmp_path: Path) -> None:
    done = trivium("stages=[acquire]", *FETCH, "acquire.dry_run=true", "hydra.run.dir=out")
    assert done.returncode == 0, done.stderr
    assert "nothing was fetched" in done.stdout
    assert not (tmp_path / "data/raw/files/texts").exists()
    assert json.loads((tmp_path / "data/raw/files/report.json").read_text())["dry_run"]


def test_what_cannot_be_is_said_before_anything_is_fetched(trivium: Call, shelf: Path, tmp_path: Path) -> None:
    wrong = {
        "acquire.dry_run=true only counts": (*LIBRARY, *FETCH, "acquire.dry_run=true"),
        "acquire.sources.files.path: not set": ("stages=[acquire]", "acquire=files", "tracking=none"),
        "nowhere does not exist": ("stages=[acquire]", *FETCH, "acquire.sources.files.path=nowhere"),
        "data/raw/files/texts does not exist": (*LIBRARY, *FETCH, "stages=[prepare]"),
    }
    for said, words in wrong.items():
        done = trivium(*words, "hydra.run.dir=out")
        assert done.returncode == 2, done.stderr
        assert said in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_no_source_with_an_item_is_a_failure_in_one_sentence(trivium: Call, shelf: Path, tmp_path: Path) -> None:
    for book in shelf.glob("b?.txt"):
        book.unlink()
    done = trivium("stages=[acquire]", *FETCH, "hydra.run.dir=out")
    assert done.returncode == 1
    assert "min_sources" in done.stderr and "Traceback" not in done.stderr
    assert result_of(tmp_path / "out")["stages"]["acquire"]["status"] == "failed"
