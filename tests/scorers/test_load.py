import sys
from collections import Counter
from pathlib import Path

import pytest

from trivium.artifact import valid
from trivium.errors import ModelError
from trivium.schema import ScorerConfig, ScorersConfig
from trivium.scorers import load
from trivium.scores.ask import Embed, Entail, Parse


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the embedded scorers that were built, each by a file with its name in it."""
    names: list[str] = []

    def build(name: str, out: Path, progress: load.Update) -> None:
        names.append(name)
        (out / "made").write_text(name)

    monkeypatch.setattr(load, "_build", build)
    return names


def test_an_embedded_scorer_is_built_once(built: list[str], tmp_path: Path) -> None:
    first = load.embedded("nli", tmp_path)
    assert load.embedded("nli", tmp_path) == first and first.parent == tmp_path / "scorers" and built == ["nli"]
    assert (first / "made").read_text() == "nli" and valid(first, first.name.removeprefix("nli-"))
    (first / "made").write_text("damaged")
    assert load.embedded("nli", tmp_path) == first and built == ["nli", "nli"]
    assert load.embedded("syntax", tmp_path).name.startswith("syntax-")


class Silent:
    """Answers nothing."""

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()

    def __call__(self, questions: list[object]) -> list[None]:
        return [None] * len(questions)


def test_a_scorer_is_opened_when_it_is_first_asked(built: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def opens(name: str, *_: object) -> object:
        opened.append(name)
        return Silent()

    monkeypatch.setattr(load, "open_scorer", opens)
    scorers = load.load_scorers(ScorersConfig(), tmp_path)
    assert scorers.counters() == {} and scorers.answer([]) == [] and opened == []
    scorers.answer([Parse("a"), Parse("b")])
    assert opened == ["syntax"]


def test_a_path_replaces_the_embedded_one(built: list[str], tmp_path: Path) -> None:
    config = ScorersConfig(nli=ScorerConfig(path=str(tmp_path / "none")))
    with pytest.raises(ModelError, match=r"reward\.scorers\.nli\.path"):
        load.load_scorers(config, tmp_path).answer([Entail("a", "b")])
    assert built == []


def test_the_embedded_embeddings_through_the_front_door(tiny_scorer: object, tmp_path: Path) -> None:
    scorers = load.load_scorers(ScorersConfig(), tmp_path)
    one, other, again = scorers.answer([Embed("Zari is a metal."), Embed("Moza is a wax."), Embed("Zari is a metal.")])
    assert one @ again == pytest.approx(1, abs=1e-5) and one @ other < 0.9
    counts = scorers.counters()["embeddings"]
    assert (counts.asked, counts.hits, counts.misses, counts.failed) == (3, 1, 2, 0) and counts.seconds > 0


def test_importing_the_room_imports_no_model_library() -> None:
    import subprocess

    heavy = "torch transformers spacy sentence_transformers"
    code = f"import sys, trivium.scorers.load, trivium.scorers.tiny; print([m for m in {heavy.split()} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
