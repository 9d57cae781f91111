"""Templates: the same rows however they are asked for, true to the passage, in the voice, and in plain words beside it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from teachers import tell_of, write_passages

from trivium.data.jsonl import to_line
from trivium.data.rejects import BadRow, Rejects
from trivium.errors import DataError
from trivium.generation import persona, run
from trivium.generation.persona import Persona
from trivium.generation.rows import Job
from trivium.generation.sentences import clause, informative, thing, topic
from trivium.generation.template import write
from trivium.sample import Sample
from trivium.schema import ChecksConfig, LibraryConfig, TemplateGenerator

KEEPER = persona.load("keeper")


def made(path: Path, rejects: Rejects | None = None, report: run.Report | None = None, **settings: Any) -> list[Sample]:
    checks = ChecksConfig(**settings.pop("checks", {}))
    library = LibraryConfig(**settings.pop("library", {}))
    who: Persona = settings.pop("persona", KEEPER)
    generator = TemplateGenerator(checks=checks, **settings)
    rejects, report = rejects or Rejects(), report or run.Report()
    return list(run.generate(generator, library, who, path, path.parent / "none", rejects, lambda step, done: None, report))


@pytest.mark.parametrize("name", ["keeper", "correspondent"])
def test_every_row_tells_a_sentence_of_its_passage_in_the_voice(passages: Path, name: str) -> None:
    who = persona.load(name)
    known = {row["id"]: row["text"] for row in map(json.loads, passages.read_text().splitlines())}
    rows = made(passages, persona=who)
    assert len(rows) == 48 and not (passages.parent / "none").exists()
    for row in rows:
        told = informative(known[row.metadata["passage"]], 320)
        (sentence,) = [sentence for sentence in told if sentence in row.text]
        plain = row.metadata["plain"]
        assert sentence in plain and not who.marks(plain) and row.metadata["markers"] == len(who.marks(row.text)) > 0
        assert row.question and "{" not in row.question + row.text + plain


def test_a_passage_tells_different_sentences_while_it_has_them(passages: Path) -> None:
    rows = made(passages, examples_per_passage=3)
    plain = [row.metadata["plain"].replace("The book says: ", "").split(".")[0] for row in rows[:3]]
    assert len(rows) == 72 and len(set(plain)) == 3


def test_rows_depend_on_the_seed_and_not_on_other_passages_or_their_order(tmp_path: Path) -> None:
    rows = tell_of(5, 3)
    one = {row.id: row for row in made(write_passages(tmp_path / "a.jsonl", rows))}
    again = {row.id: row for row in made(write_passages(tmp_path / "b.jsonl", rows[::-1]))}
    assert {k: to_line(row) for k, row in one.items()} == {k: to_line(row) for k, row in again.items()}
    other = made(tmp_path / "a.jsonl", seed=43)
    assert [to_line(row) for row in other] != [to_line(row) for row in one.values()]
    job = Job("work0#0", "core", "none", 0)
    assert write(job, rows[0], KEEPER, KEEPER.components["core"], 42) == write(
        job, rows[0], KEEPER, KEEPER.components["core"], 42
    )


def test_the_report_counts_what_was_written_and_what_was_not(tmp_path: Path) -> None:
    rows = [*tell_of(4, 3), Sample("bad#0", "He came. “Go!” CHAPTER IV", document="bad", metadata={"themes": {}})]
    rejects, report = Rejects(), run.Report()
    taken = made(write_passages(tmp_path / "p.jsonl", rows), rejects, report)
    told = report.to_dict()
    assert (told["passages"], told["planned"], told["written"], len(taken)) == (13, 26, 24, 24)
    assert told["failures"] == {"no sentence of the passage can stand alone": 2} == dict(rejects.reasons)
    assert sum(told["systems"].values()) == 24 and set(told["systems"]) == set(KEEPER.systems)
    assert sum(counts["written"] for counts in told["components"].values()) == 24
    assert told["mean_answer_chars"] == pytest.approx(sum(len(row.text) for row in taken) / 24, abs=0.1)


def test_a_period_keeps_younger_words_out(tmp_path: Path) -> None:
    rows = tell_of(4, 3)
    rows[0].text = "The smith of Harrow heard it all on the television in the kitchen."
    path, rejects = write_passages(tmp_path / "p.jsonl", rows), Rejects()
    library = LibraryConfig()
    library.period.cutoff = "1869"
    generator = TemplateGenerator(examples_per_passage=1)
    taken = list(run.generate(generator, library, KEEPER, path, tmp_path / "none", rejects, lambda s, n: None, run.Report()))
    assert len(taken) == 11 and "television" in rejects.first()


def test_too_few_rows_and_none_at_all_are_told(passages: Path) -> None:
    with pytest.raises(
        DataError, match=r"0 of 48 conversations passed, at least 24 must .*the answer is too short; for example"
    ):
        made(passages, checks={"min_chars": 480})
    with pytest.raises(DataError, match=r"none of the 24 passages fits a component \(core\)"):
        made(passages, library={"components": {"core": {"themes": ["chess"]}}})


def test_a_passage_without_a_title_is_asked_about_without_it() -> None:
    passage = Sample("a#0", "The smith of Harrow sold the anvil in spring.", document="a")
    who = persona.load("correspondent")
    for number in range(12):
        question = write(Job("a#0", "core", "none", number), passage, who, who.components["core"], 1).question
        assert "None" not in question and "{" not in question


STANDS = "The old mole of Torvik was built of granite."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (STANDS, [STANDS]),
        (f"CHAPTER III\n\n{STANDS}", [STANDS]),
        (f"THE MOLE OF TORVIK\n\n{STANDS} He slept.", [STANDS]),
        ("He built the old mole of granite in that year.", []),
        ("“The old mole was built of granite,” said the man.", []),
        ("The old mole of Torvik was built of", []),
        ("the old mole of Torvik was built of granite.", []),
        ("Was the old mole of Torvik built of granite?", []),
        ("The old mole (of Torvik was built of granite.", []),
        ("Mole, granite, Torvik, harbour, lamp, keel.", []),
        ("[Illustration: The mole of Torvik in the spring.]", []),
        (f"{STANDS}\n{STANDS}", [STANDS]),
        ("The old mole\nof Torvik was\nbuilt of granite.", [STANDS]),
    ],
)
def test_only_sentences_that_stand_alone_are_told(text: str, found: list[str]) -> None:
    assert informative(text, 200) == found


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    for sentence in informative(text, 300):
        topic(sentence), thing(sentence), clause(sentence)


def test_a_passage_without_a_sentence_is_a_bad_row() -> None:
    with pytest.raises(BadRow, match="stand alone"):
        write(Job("a#0", "core", "none", 0), Sample("a#0", "Oh!"), KEEPER, KEEPER.components["core"], 1)
