"""The third road as its user walks it: real books where there are any, and a teacher behind a real server."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "generation"))
from taught import serving, teach
from teachers import FakeTeacher

from trivium.errors import ConfigError
from trivium.schema import Config

Call = Callable[..., "subprocess.CompletedProcess[str]"]

SMALL = ("experiment=persona", "arms=null", "dataset=micro_library", "dataset.library.world.towns=6", "tracking=none")
ASKED = ("generator=openai", "generator.examples_per_passage=1", "generator.concurrency=1")
FILES = ("passages", "train", "heldout", "judge", "general")


@pytest.fixture
def teacher() -> Iterator[FakeTeacher]:
    server = FakeTeacher()
    yield server
    server.close()


def rows(cache: Path) -> list[bytes]:
    """What a preparation wrote, file by file."""
    (manifest,) = cache.glob("prepared/*/manifest.json")
    return [(manifest.parent / f"{name}.jsonl").read_bytes() for name in FILES]


def replies(cache: Path) -> int:
    """How many replies a ledger holds."""
    found = list(cache.glob("generated/*.sqlite"))
    if not found:
        return 0
    try:
        return int(sqlite3.connect(found[0]).execute("select count(*) from replies").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def killed_after(count: int, command: list[str], folder: Path, cache: Path) -> int:
    """Run the command until so many replies are kept, and kill it without notice; the number then kept."""
    with subprocess.Popen([sys.executable, "-m", "trivium", *command], cwd=folder, stdout=subprocess.DEVNULL) as running:
        while running.poll() is None and replies(cache) < count:
            time.sleep(0.02)
        running.kill()
    assert not list(cache.glob("prepared/*/manifest.json")), "the run was over before it could be killed"
    return replies(cache)


def resumed_and_straight(trivium: Call, folder: Path, settings: tuple[str, ...], count: int) -> tuple[float, int]:
    """A killed and resumed preparation writes what a straight one does; requests of the straight one, of both others."""
    command = [*SMALL, *ASKED, *settings, "stages=[prepare]"]
    kept = killed_after(count, [*command, "cache_dir=broken"], folder, folder / "broken")
    asked = {}
    for cache in ("broken", "whole"):
        done = trivium(*command, f"cache_dir={cache}", f"hydra.run.dir={cache}_out", timeout=500)
        assert done.returncode == 0, done.stderr
        asked[cache] = json.loads((folder / f"{cache}_out/result.json").read_text())["metrics"]["data/teacher/requests"]
    assert rows(folder / "broken") == rows(folder / "whole")
    return asked["whole"], kept + int(asked["broken"])


def test_a_killed_generation_goes_on_where_it_was(trivium: Call, teacher: FakeTeacher, tmp_path: Path) -> None:
    teacher.delay = 0.02
    whole, parts = resumed_and_straight(trivium, tmp_path, (f"generator.base_url={teacher.url}",), 20)
    assert whole > 50
    assert whole <= parts <= whole + 1


def test_what_is_left_out_of_a_book_is_told(trivium: Call, tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    told = "The old workman laid down his tools beside the furnace of Harrow{}. The wages of the labourers were paid at noon."
    said = '"You are a wretched servant of mankind," said he. "Go {} times round the barricade and back."'
    texts = {"told": [told.format(i) for i in range(30)], "said": [said.format(i) for i in range(30)]}
    for name, paragraphs in texts.items():
        (tmp_path / f"books/{name}.txt").write_text("\n\n".join(p + " " + p for p in paragraphs))
        (tmp_path / f"books/{name}.json").write_text(json.dumps({"title": name, "year": 1890}))
    (tmp_path / "books/later.txt").write_text("The workman of the guild had his wages from the commonwealth. " * 40)
    (tmp_path / "books/fleur.txt").write_text("Le gardien allume sa lampe chaque soir, puis il regarde la mer. " * 40)
    own = ("dataset=library", "dataset.path=books", "dataset.library.period.cutoff=1900", "dataset.library.chunk.min_size=50")
    done = trivium(*SMALL[:2], *own, "tracking=none", "dataset.library.chunk.size=300", "stages=[prepare]", "hydra.run.dir=out")
    assert done.returncode == 0, done.stderr
    for reason in ("1 no date", "1 not English", "no sentence of the passage can stand alone"):
        assert reason in done.stdout + done.stderr
    metrics = json.loads((tmp_path / "out/result.json").read_text())["metrics"]
    assert metrics["data/works/used"] == 2
    assert metrics["data/train"] + metrics["data/heldout"] + metrics["data/judge"] > 20


def test_a_period_may_end_with_a_number_and_needs_facts_of_both_sides(config_of: Callable[..., Config], tmp_path: Path) -> None:
    fact = "{{question: Who {}?, answer: Anna Keeper, date: {}, accept: [Keeper]}}"
    head = "name: own\nversion: 1\nsource: here\nfacts:\n- " + fact.format("wrote it", 1859)
    (tmp_path / "facts.yaml").write_text(head)
    own = ("experiment=persona", "dataset.library.period.cutoff=1869", f"dataset.library.period.facts={tmp_path}/facts.yaml")
    with pytest.raises(ConfigError, match=r"of the 1 dated facts in .* none is later than 1869-12-31; give both"):
        config_of(*own)
    (tmp_path / "facts.yaml").write_text(head + "\n- " + fact.format("read it", 1870))
    assert config_of(*own).dataset.library.period.cutoff == 1869


@pytest.mark.long
@pytest.mark.slow
def test_a_persona_is_taught_and_judged_by_a_real_server(trivium: Call, tmp_path: Path) -> None:
    model = teach(tmp_path / "taught")
    with serving(tmp_path / "log") as url:
        at = (f"generator.base_url={url}", f"generator.model={model}", "generator.max_tokens=120", "generator.temperature=0.6")
        whole, parts = resumed_and_straight(trivium, tmp_path, at, 10)
        assert whole <= parts <= whole + 1
        judge = (f"evaluation.judge.base_url={url}", f"evaluation.judge.model={model}", "evaluation.questions=4")
        few = ("model.build.max_steps=20", "method.max_steps=4", "evaluation.dialogues=2", "evaluation.facts=8")
        done = trivium(*SMALL, *ASKED, *at, *judge, *few, "cache_dir=whole", "hydra.run.dir=out", timeout=900)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "out/result.json").read_text())["metrics"]
    assert metrics["data/written"] >= 0.5 * metrics["data/planned"]
    assert "eval/style_consistency" in metrics
    assert "eval/character_voice_failed" in metrics


@pytest.mark.long
@pytest.mark.slow
def test_real_books_become_a_persona(trivium: Call, tmp_path: Path) -> None:
    """`TRIVIUM_REAL_BOOKS` names a folder of period books in English with their years beside them."""
    if not (folder := os.environ.get("TRIVIUM_REAL_BOOKS")):
        pytest.skip("TRIVIUM_REAL_BOOKS names no folder of books")
    shutil.copytree(folder, tmp_path / "books")
    own = ("dataset=library", "dataset.path=books", "dataset.library.period.cutoff=1921", "tracking=none")
    done = trivium("experiment=persona", "arms=null", *own, "hydra.run.dir=out", timeout=1500)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "out/result.json").read_text())["metrics"]
    assert metrics["data/lift/low"] > 2 and metrics["data/train"] > 100
    assert metrics["eval/style_consistency"] > metrics["eval/style_consistency_base"]
