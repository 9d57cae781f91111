"""What makes a library be prepared anew, and what does not; what a teacher wrote is never asked for twice."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

import trivium
from trivium import stages
from trivium.console import Screen
from trivium.data.jsonl import read_samples
from trivium.errors import ConfigError
from trivium.schema import Config

sys.path.insert(0, str(Path(__file__).parent / "generation"))
from teachers import FakeTeacher

ConfigOf = Callable[..., Config]
HERE = Path(trivium.__file__).parent
WORLD = ("experiment=persona", "arms=null", "dataset.library.world.towns=6")
FACT = "  - {{question: Who kept {0}?, answer: Lind kept {0}., date: '{1}', accept: [Lind]}}\n"


def prepared(config_of: ConfigOf, folder: Path, *overrides: str) -> stages.Product:
    config = config_of(*WORLD, f"cache_dir={folder}/cache", *overrides)
    return stages.prepare(config, Screen(Console(quiet=True)))


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, tuple[str, Path]]:
    """Own files that a library is made with: what names each, and where it is."""
    facts = "".join(FACT.format(f"mill {i}", 1840 + 60 * (i % 2)) for i in range(12))
    talk = "".join(json.dumps({"question": f"What is {i}?", "answer": f"It is {i}."}) + "\n" for i in range(12))
    own = tmp_path / "own"
    return {
        "dataset.library.persona": ("persona", written(own / "p.yaml", (HERE / "generation/personas/keeper.yaml").read_text())),
        "dataset.library.themes.lexicon": (
            "themes",
            written(own / "t.yaml", (HERE / "data/library/themes/small_world.yaml").read_text()),
        ),
        "dataset.library.period.anachronisms": (
            "anachronisms",
            written(own / "a.yaml", (HERE / "data/library/anachronisms/modern.yaml").read_text()),
        ),
        "dataset.library.period.facts": ("facts", written(own / "f.yaml", f"name: f\nversion: 1\nsource: me\nfacts:\n{facts}")),
        "dataset.library.general.path": ("general", written(own / "g.jsonl", talk)),
    }


def test_the_same_library_is_prepared_once(config_of: ConfigOf, tmp_path: Path) -> None:
    assert not prepared(config_of, tmp_path).reused
    again = prepared(config_of, tmp_path)
    assert again.reused
    for same in (
        "dataset.contamination.ngram=12",
        "dataset.gate=strict",
        "dataset.chat.system=Be.",
        "method.max_steps=3",
        "evaluation.questions=9",
    ):
        assert prepared(config_of, tmp_path, same).key == again.key, same


@pytest.mark.parametrize(
    "change",
    [
        "generator.examples_per_passage=1",
        "generator.seed=1",
        "generator.checks.min_chars=20",
        "dataset.seed=1",
        "dataset.library.voice=plain",
        "dataset.library.world.towns=7",
        "dataset.library.chunk.size=300",
        "dataset.library.period.cutoff=1860",
        "dataset.library.judge_size=0.4",
    ],
)
def test_a_changed_setting_prepares_anew(config_of: ConfigOf, tmp_path: Path, change: str) -> None:
    assert prepared(config_of, tmp_path).key != prepared(config_of, tmp_path, change).key


def test_an_edited_file_prepares_anew(config_of: ConfigOf, tmp_path: Path, files: dict[str, tuple[str, Path]]) -> None:
    overrides = [f"{key}={path}" for key, (_, path) in files.items()]
    keys = [prepared(config_of, tmp_path, *overrides).key]
    for _, path in files.values():
        last = '{"question": "Why?", "answer": "So."}\n' if path.suffix == ".jsonl" else "# another word\n"
        path.write_text(path.read_text() + last)
        keys.append(prepared(config_of, tmp_path, *overrides).key)
    assert len(set(keys)) == len(keys)
    assert prepared(config_of, tmp_path, *overrides).reused


def test_a_file_in_the_home_folder_is_told_apart_too(
    config_of: ConfigOf, tmp_path: Path, files: dict[str, tuple[str, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "own"))
    lexicon = files["dataset.library.themes.lexicon"][1]
    first = prepared(config_of, tmp_path, f"dataset.library.themes.lexicon='~/{lexicon.name}'")
    lexicon.write_text(lexicon.read_text().replace("tide, ", ""))
    second = prepared(config_of, tmp_path, f"dataset.library.themes.lexicon='~/{lexicon.name}'")
    assert first.key != second.key


def test_another_book_prepares_anew(config_of: ConfigOf, tmp_path: Path) -> None:
    told = "The tide and the lamp of the harbour were seen from the reef, and the rope of the keel was laid with tar. "
    for number in range(3):
        lines = (told.replace("harbour", f"harbour of number {number}{c}") * 2 for c in "abcdef")
        written(tmp_path / "books" / f"b{number}.txt", "\n\n".join(lines))
    words = ("dataset=library", f"dataset.path={tmp_path}/books", "dataset.library.themes.lexicon=small_world")
    first = prepared(config_of, tmp_path, *words)
    (tmp_path / "books" / "b0.txt").unlink()
    assert prepared(config_of, tmp_path, *words).key != first.key


@pytest.fixture
def teacher() -> Iterator[FakeTeacher]:
    server = FakeTeacher()
    yield server
    server.close()


def test_how_the_teacher_is_asked_does_not_lose_what_it_wrote(
    config_of: ConfigOf, tmp_path: Path, teacher: FakeTeacher
) -> None:
    words = ("generator=openai", f"generator.base_url={teacher.url}", "generator.examples_per_passage=1")
    first = prepared(config_of, tmp_path, *words, "generator.concurrency=2")
    asked = len(teacher.bodies)
    assert asked > 20 and teacher.peak <= 2
    for change in ("generator.concurrency=7", "generator.timeout=60", "generator.retries=1", "dataset.library.voice=shuffled"):
        again = prepared(config_of, tmp_path, *words, change)
        assert len(teacher.bodies) == asked, change
    assert (again.folder / "heldout.jsonl").read_bytes() == (first.folder / "heldout.jsonl").read_bytes()
    prepared(config_of, tmp_path, *words, "generator.temperature=0.1")
    assert len(teacher.bodies) > asked, "another temperature is another teacher"
    assert {row.metadata["plain"] for row in read_samples(first.folder / "heldout.jsonl")} == {None}


@pytest.mark.parametrize("name", ["../../out", "a/b", ".hidden", "a\\b"])
def test_a_personas_name_does_not_lead_out_of_the_cache(config_of: ConfigOf, tmp_path: Path, name: str) -> None:
    text = (HERE / "generation/personas/keeper.yaml").read_text().replace("name: keeper", f"name: {name}", 1)
    own = written(tmp_path / "own" / "p.yaml", text)
    with pytest.raises(ConfigError, match="it names a file"):
        prepared(config_of, tmp_path, f"dataset.library.persona={own}")
