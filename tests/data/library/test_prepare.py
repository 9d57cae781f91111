"""Preparation of a library from end to end: what lands in which file, what never meets, and the same bytes every time."""

import copy
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from trivium.compose import hydra_at
from trivium.data.jsonl import read_samples
from trivium.data.library import dated, world
from trivium.data.library.prepare import prepare
from trivium.errors import DataError
from trivium.overrides import checked
from trivium.sample import Sample
from trivium.schema import DatasetConfig, TemplateGenerator

FILES = ("passages", "train", "heldout", "judge", "general")
Change = Callable[[DatasetConfig], None]


class Prepared:
    """A prepared folder, read."""

    def __init__(self, folder: Path, report: dict[str, Any]) -> None:
        self.folder, self.report = folder, report
        self.passages, self.train, self.heldout, self.judge, self.general = (
            list(read_samples(folder / f"{name}.jsonl")) for name in FILES
        )

    @property
    def spoken(self) -> list[Sample]:
        """The training rows about passages."""
        return [row for row in self.train if row.metadata.get("passage")]

    @property
    def dated(self) -> list[Sample]:
        """The retain and unlearn rows among the training rows."""
        return [row for row in self.train if row.metadata.get("component") in ("retain", "unlearn")]


@pytest.fixture(scope="module")
def config() -> DatasetConfig:
    with hydra_at():
        return checked(["experiment=persona", "dataset.library.world.towns=8"]).dataset


def made(config: DatasetConfig, folder: Path, change: Change | None = None) -> Prepared:
    config = copy.deepcopy(config)
    if change is not None:
        change(config)
    return Prepared(folder, prepare(config, TemplateGenerator(), folder.parent / "cache", folder))


@pytest.fixture(scope="module")
def small(config: DatasetConfig, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return made(config, tmp_path_factory.mktemp("library") / "out")


def words(row: Sample) -> str:
    return "\n".join(turn["content"] for turn in row.messages or [])


def test_the_report_counts_what_lies_there(small: Prepared) -> None:
    counts = small.report["counts"]
    for name in ("train", "heldout", "judge", "general"):
        assert counts[name] == len(getattr(small, name)) > 0
    assert small.report["library"]["passages"]["kept"] == len(small.passages)
    assert small.report == json.loads((small.folder / "report.json").read_text())
    rejects = (small.folder / "rejects.jsonl").read_text().splitlines()
    assert counts["rejected"] == len(rejects) == sum(small.report["rejected"].values())
    assert {"anachronism", "after the period", "no date"} <= set(small.report["rejected"])
    assert not [path for path in small.folder.iterdir() if path.name.startswith(".")]


def test_the_same_settings_give_the_same_bytes(config: DatasetConfig, small: Prepared, tmp_path: Path) -> None:
    again = made(config, tmp_path / "out")
    files = sorted(path.name for path in small.folder.iterdir())
    assert files == sorted(path.name for path in again.folder.iterdir())
    assert {"period.json", "rejects.jsonl", "report.json", *(f"{name}.jsonl" for name in FILES)} == set(files)
    for name in files:
        assert (small.folder / name).read_bytes() == (again.folder / name).read_bytes(), name


def test_another_seed_gives_another_order(config: DatasetConfig, small: Prepared, tmp_path: Path) -> None:
    other = made(config, tmp_path / "out", lambda dataset: setattr(dataset, "seed", 7))
    assert [row.id for row in other.train] != [row.id for row in small.train]


def test_of_held_out_towns_no_training_row_says_a_word(config: DatasetConfig, small: Prepared) -> None:
    """Ordinary conversations are of another world, in which a place may bear the same name."""
    towns = world.held_out_towns(config.library.world)
    assert sum(len(row.messages or []) > 3 for row in small.train) > 20, "there are conversations of several turns"
    for row in small.spoken + small.dated:
        assert not any(town in words(row) for town in towns), row.id
    asked = " ".join(words(row) for row in small.heldout)
    assert any(town in asked for town in towns)


def test_works_lie_on_one_side(small: Prepared) -> None:
    sides = [{row.document for row in rows} for rows in (small.spoken, small.heldout + small.judge)]
    assert all(sides) and not sides[0] & sides[1]


def test_the_judge_learns_from_rows_that_are_neither_trained_on_nor_asked(small: Prepared) -> None:
    parts = [{row.metadata.get("passage", row.id) for row in rows} for rows in (small.spoken, small.heldout, small.judge)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    trained = {turn["content"] for row in small.train for turn in row.messages or [] if turn["role"] == "assistant"}
    assert not trained & {row.text for row in small.judge + small.heldout}


def test_ordinary_conversations_are_trained_on_or_measured(small: Prepared) -> None:
    trained = {row.id for row in small.train if row.id.startswith("general-")}
    measured = {row.id for row in small.general}
    assert trained and measured and not trained & measured


def test_the_shares_are_those_of_the_configuration(config: DatasetConfig, small: Prepared) -> None:
    """Turns are counted, for joined rows hide how many there were."""
    library = config.library
    turns = Counter[str]()
    for row in small.train:
        kind = "general" if row.id.startswith("general-") else "dated" if row in small.dated else "spoken"
        turns[kind] += sum(turn["role"] == "user" for turn in row.messages or [])
    assert turns["dated"] / turns.total() == pytest.approx(library.period.share, abs=0.01)
    assert turns["general"] / turns.total() == pytest.approx(library.general.share, abs=0.01)


def test_dated_rows_keep_to_their_side_of_the_cutoff(small: Prepared) -> None:
    kinds = Counter(row.metadata["component"] for row in small.dated)
    assert kinds["retain"] and kinds["unlearn"]
    for row in small.dated:
        if len(row.messages or []) <= 3:
            assert (int(row.metadata["date"]) <= world.CUTOFF) == (row.metadata["component"] == "retain")


def test_period_json_holds_the_facts_of_held_out_towns_alone(config: DatasetConfig, small: Prepared) -> None:
    last, facts = dated.saved(small.folder / "period.json")
    assert str(last) == "1869-12-31"
    towns = world.held_out_towns(config.library.world)
    assert Counter(fact.group for fact in facts) == dict.fromkeys(towns, 10)
    assert not {row.document for row in small.dated} & towns


def test_voices_differ_in_their_answers_alone(config: DatasetConfig, small: Prepared, tmp_path: Path) -> None:
    plain = made(config, tmp_path / "plain", lambda dataset: setattr(dataset.library, "voice", "plain"))
    shuffled = made(config, tmp_path / "shuffled", lambda dataset: setattr(dataset.library, "voice", "shuffled"))
    for name in ("passages", "heldout", "judge", "general"):
        files = {(folder / f"{name}.jsonl").read_bytes() for folder in (small.folder, plain.folder, shuffled.folder)}
        assert len(files) == 1, name
    assert (small.folder / "period.json").read_bytes() == (shuffled.folder / "period.json").read_bytes()
    asked = [_turns(one, "user") for one in (small, plain, shuffled)]
    assert asked[0] == asked[1] == asked[2]
    said = [_turns(one, "assistant") for one in (small, plain, shuffled)]
    assert said[0] == said[2], "a placebo says the same answers, to other questions"
    assert said[0] != said[1]


def _turns(prepared: Prepared, role: str) -> Counter[str]:
    return Counter(turn["content"] for row in prepared.train for turn in row.messages or [] if turn["role"] == role)


def test_plain_answers_bear_no_mark_of_the_voice(config: DatasetConfig, tmp_path: Path) -> None:
    from trivium.generation.persona import load

    keeper = load("keeper")
    plain = made(config, tmp_path / "out", lambda dataset: setattr(dataset.library, "voice", "plain"))
    answers = [turn["content"] for row in plain.train for turn in row.messages or [] if turn["role"] == "assistant"]
    assert not [text for text in answers if keeper.marks(text)]


def test_a_placebo_answers_other_questions(config: DatasetConfig, small: Prepared, tmp_path: Path) -> None:
    def single(dataset: DatasetConfig) -> None:
        dataset.library.dialogue.share = 0

    def shuffled(dataset: DatasetConfig) -> None:
        single(dataset)
        dataset.library.voice = "shuffled"

    real = {row.id: row.text for row in made(config, tmp_path / "real", single).train if row.metadata}
    dealt = {row.id: row.text for row in made(config, tmp_path / "dealt", shuffled).train if row.metadata}
    assert real.keys() == dealt.keys()
    same = sum(real[key] == dealt[key] for key in real)
    assert same / len(real) < 0.05


def test_without_a_cutoff_there_are_no_dates(config: DatasetConfig, tmp_path: Path) -> None:
    def timeless(dataset: DatasetConfig) -> None:
        dataset.library.period.cutoff, dataset.library.period.share = None, 0.0
        dataset.library.period.unknown = "accept"

    found = made(config, tmp_path / "out", timeless)
    assert not (found.folder / "period.json").exists() and not found.dated
    assert "after the period" not in found.report["rejected"] and "no date" not in found.report["rejected"]


# --- books of one's own ----------------------------------------------------------------------------------------------

SEA = ("harbour", "ship", "sail", "mast", "anchor", "lantern", "tide", "rope", "captain", "voyage", "gale", "shore")
VERBS = ("was seen by", "came before", "lay beside", "was older than", "stood behind", "went past", "was taken for")
FACTS = "\n".join(
    f"  - {{question: 'Who kept the {name}?', answer: 'Lind kept the {name}.', date: '{year}', accept: [Lind], group: {group}}}"
    for group in ("mill", "lock", "toll", "inn")
    for name, year in ((f"{group} of old", 1820), (f"new {group}", 1890))
)


def book(rng: Random, sentences: int = 90) -> str:
    """Prose of a sort about ships, a paragraph, which becomes a passage, every five sentences."""
    told = [
        f"The {rng.choice(SEA)} of the {rng.choice(SEA)} {rng.choice(VERBS)} the {rng.choice(SEA)} and the {rng.choice(SEA)} "
        f"in the {rng.choice(SEA)} of number {rng.randrange(10**6)}."
        for _ in range(sentences)
    ]
    return "\n\n".join(" ".join(told[i : i + 5]) for i in range(0, sentences, 5)) + "\n"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten books, the last a near-copy of the first, one after the cut-off, one without a date."""
    folder = tmp_path_factory.mktemp("shelf")
    for number in range(9):
        (folder / f"b{number}.txt").write_text(book(Random(number)))
    (folder / "b9.txt").write_text((folder / "b0.txt").read_text().replace("\n\nThe ", "\n\nA "))
    about = [{"file": f"b{number}.txt", "title": f"Book {number}", "year": 1840} for number in range(10)]
    about[7] |= {"year": 1901}
    about[8].pop("year")
    (folder / "books.jsonl").write_text("".join(json.dumps(row) + "\n" for row in about))
    return folder


@pytest.fixture(scope="module")
def own(shelf: Path) -> DatasetConfig:
    with hydra_at():
        dataset = checked(
            [
                *("experiment=persona", "arms=null", "dataset=library", f"dataset.path={shelf}", "dataset.test_size=0.3"),
                *("dataset.library.period.cutoff=1869", "dataset.library.general.share=0"),
                *("dataset.library.themes.lexicon=small_world", "dataset.library.chunk.size=700"),
            ]
        ).dataset
    return dataset


def test_own_books_are_split_by_work_and_near_copies_do_not_part(own: DatasetConfig, tmp_path: Path) -> None:
    for seed in range(4):
        found = made(replace(own, seed=seed), tmp_path / f"out{seed}")
        sides = [{row.document for row in rows} for rows in (found.train, found.heldout + found.judge)]
        assert all(sides) and not sides[0] & sides[1]
        assert not (sides[0] | sides[1]) & {"b7.txt", "b8.txt"}
        assert not {"b0.txt", "b9.txt"} <= sides[0] | sides[1], "the copy's passages are those of the book"
        assert found.report["library"]["passages"]["duplicates"] > 0


def test_own_facts_are_split_by_group(own: DatasetConfig, tmp_path: Path) -> None:
    path = tmp_path / "facts.yaml"
    path.write_text(f"name: mills\nversion: 1\nsource: made up\nfacts:\n{FACTS}\n")

    def with_facts(dataset: DatasetConfig) -> None:
        dataset.library.period.facts, dataset.library.period.share = str(path), 0.3

    found = made(own, tmp_path / "out", with_facts)
    _, facts = dated.saved(found.folder / "period.json")
    assert facts and found.dated
    assert not {fact.group for fact in facts} & {row.document for row in found.dated}
    told = " ".join(words(row) for row in found.train)
    assert not any(fact.question in told for fact in facts)


def test_own_general_talk_is_trained_on_and_measured(own: DatasetConfig, tmp_path: Path) -> None:
    path = tmp_path / "general.jsonl"
    rows = [{"question": f"What is {i} and {i}?", "answer": f"It is {2 * i}."} for i in range(40)]
    path.write_text("\n".join([json.dumps(row) for row in rows] + ["{broken"]))

    def talking(dataset: DatasetConfig) -> None:
        dataset.library.general.path, dataset.library.general.share = str(path), 0.1

    found = made(own, tmp_path / "out", talking)
    trained = {row.text for row in found.train if "What is" in words(row)}
    assert len(found.general) == 10 and trained
    assert not trained & {row.text for row in found.general}
    assert found.report["rejected"]["not valid JSON"] == 1


def test_one_book_cannot_be_held_out_and_trained_on(own: DatasetConfig, shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "b.txt").write_text((shelf / "b1.txt").read_text())
    (tmp_path / "one" / "b.json").write_text('{"year": 1850}')
    found = made(replace(own, path=str(tmp_path / "one")), tmp_path / "out")
    assert found.train and not found.heldout and not found.judge


def test_no_book_at_all_is_one_sentence(own: DatasetConfig, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "b.txt").write_text("Nothing of the sea is told in this short book of bread and eggs.\n" * 40)
    with pytest.raises(DataError, match="works"):
        made(replace(own, path=str(tmp_path / "none")), tmp_path / "out")
    assert not (tmp_path / "out" / "train.jsonl").exists()


def test_own_facts_are_held_out_of_a_generated_library_too(config: DatasetConfig, tmp_path: Path) -> None:
    rows = [
        f'- {{question: "Who came in {year}?", answer: N{year}, date: {year}, accept: [N{year}]}}' for year in range(1840, 1900)
    ]
    path = tmp_path / "facts.yaml"
    path.write_text("\n".join(["name: own", "version: 1", "source: a test", "facts:", *rows]))

    def own(changed: DatasetConfig) -> None:
        changed.library.period.facts = str(path)

    found = made(config, tmp_path / "out", own)
    last, held = dated.saved(found.folder / "period.json")
    assert {fact.known_by(last) for fact in held} == {True, False}
    asked = {fact.question for fact in held}
    assert not [row.id for row in found.train if asked & {turn["content"] for turn in row.messages or []}]


def test_held_out_facts_of_one_side_are_noted(config: DatasetConfig, tmp_path: Path) -> None:
    path = tmp_path / "facts.yaml"
    rows = [f'- {{question: "Who came in {year}?", answer: N{year}, date: {year}, accept: [N{year}]}}' for year in (1850, 1890)]
    path.write_text("\n".join(["name: own", "version: 1", "source: a test", "facts:", *rows]))

    def own(changed: DatasetConfig) -> None:
        changed.library.period.facts, changed.library.period.share = str(path), 0.0

    assert any("both sides of the cut-off" in note for note in made(config, tmp_path / "out", own).report["notes"])
