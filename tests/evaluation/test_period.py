import datetime
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from trivium.data.library.dated import DatedFact, day_of
from trivium.errors import ConfigError
from trivium.evaluation import Voice, load_items
from trivium.evaluation.period import Wording, chosen, pairs, right, unanswered, wordings
from trivium.evaluation.suites import load
from trivium.schema import DatasetConfig, EvaluationConfig, PersonaEvaluation

sys.path.insert(0, str(Path(__file__).parent))
from small_library import CONFIG, DATASET, VOICE, facts, written

CUTOFF = datetime.date(1869, 12, 31)
OPEN = DatedFact("Who wrote Robinson Crusoe?", "Daniel Defoe wrote it.", "1719", ("Defoe",))
CLOSED = DatedFact("Who kept the ferry of Elm in 1888?", "Dorn did.", "1888", ("Dorn",), ("Adler", "Brandt"), group="Elm")


def asked(fact: DatedFact) -> Wording:
    return next(iter(wordings([fact], CUTOFF)))


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("Daniel Defoe wrote Robinson Crusoe.", True),
        ("Aye, hark. Defoe. So says the old keeper.", True),
        ("It was written by Daniel Defoe, in 1719.", True),
        ("It was not Defoe who wrote it.", False),
        ("Was it Defoe?", False),
        ("Jonathan Swift wrote it.", False),
        ("", False),
        ("Defoe " * 40, False),
    ],
)
def test_a_right_answer_states_an_accepted_wording(text: str, fine: bool) -> None:
    assert right(text, OPEN) is fine


def test_a_right_answer_names_no_other_candidate() -> None:
    assert right("Dorn kept the ferry.", CLOSED)
    assert not right("Dorn or Adler kept the ferry.", CLOSED)


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("No passenger has told me.", True),
        ("The river is wide.", True),
        ("", False),
        ("Aye.", False),
        ("Dorn kept it.", False),
        ("Adler kept it.", False),
        ("I do not know, but it was not Dorn.", False),
        ("Who kept the ferry of Elm in 1888? Aye.", False),
        ("row on and on and row on and on and row on and on and row on and on", False),
    ],
)
def test_where_the_candidates_are_known_none_is_named(text: str, fine: bool) -> None:
    assert unanswered(text, asked(CLOSED), VOICE) is fine


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("I do not know of such a machine.", True),
        ("I have never heard of such a thing, friend.", True),
        ("No passenger has brought me word of it yet.", True),
        ("The river is wide and the night is long.", False),
        ("I do not know, though some say it was Bell.", False),
    ],
)
def test_where_they_are_not_it_must_be_said_that_one_does_not_know(text: str, fine: bool) -> None:
    bell = DatedFact("Who patented the telephone?", "Bell did.", "1876", ("Bell",))
    assert unanswered(text, asked(bell), VOICE) is fine


def test_what_the_question_names_may_be_said() -> None:
    bell = DatedFact("Did Bell or Gray patent the telephone?", "Bell did.", "1876", ("Bell",), ("Gray",))
    assert unanswered("I know nothing of Bell and Gray.", asked(bell), Voice())


def test_the_side_of_the_cut_off_is_that_of_the_date() -> None:
    sides = {fact.date: asked(fact).later for fact in (OPEN, CLOSED)}
    assert sides == {"1719": False, "1888": True}
    on_the_day = replace(OPEN, date="1869-12-31")
    assert not asked(on_the_day).later
    assert asked(replace(OPEN, date="1870")).later


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1850, 1890)), max_size=30))
def test_every_question_is_in_one_pair_at_most_and_groups_are_kept(drawn: list[tuple[str, int]]) -> None:
    questions = wordings([replace(CLOSED, group=group, date=str(year)) for group, year in drawn], CUTOFF)
    found = pairs(questions)
    used = [wording.id for pair in found for wording in pair]
    assert len(used) == len(set(used))
    assert all(not earlier.later and later.later for earlier, later in found)
    later = sum(wording.later for wording in questions)
    assert len(found) == min(later, len(questions) - later)
    both = sum(
        min(sum(w.later for w in questions if w.fact.group == g), sum(not w.later for w in questions if w.fact.group == g))
        for g in "abc"
    )
    assert sum(a.fact.group == b.fact.group for a, b in found) >= both


def test_at_most_so_many_facts_are_asked_in_all_their_wordings() -> None:
    all_of_them = wordings(facts(), CUTOFF)
    few = chosen(all_of_them, 10)
    assert len({wording.fact_id for wording in few}) == 10
    assert len(pairs(few)) == 5
    assert len({wording.fact.group for wording in few}) == 5
    assert len(few) == 3 * 10
    assert chosen(all_of_them, 1000) == all_of_them
    early = [wording for wording in all_of_them if not wording.later]
    assert len({wording.fact_id for wording in chosen(early, 4)}) == 4


# --- suites ----------------------------------------------------------------------------------------------------------

BOOKS = DatasetConfig(kind="library")
BOOKS.library.period.cutoff = "1899"
SUITE = PersonaEvaluation(bootstrap_samples=100)


def prepared(folder: Path) -> Path:
    written(folder)
    (folder / "period.json").unlink()
    return folder


def test_the_shipped_questions_are_spread_over_time_and_can_be_answered() -> None:
    (part,) = load("period", None, seed=0)
    dates = [day_of(fact.date) for fact in part.dated]
    assert part.real and len(part.dated) >= 24
    assert sum(date.year < 1900 for date in dates) * 2 == len(dates)
    assert max(dates).year == 2015
    assert all(right(fact.answer, fact) and fact.paraphrases for fact in part.dated)
    assert sum(bool(fact.tricks) for fact in part.dated) >= 8
    assert len({fact.question for fact in part.dated}) == len(part.dated)


def test_no_shipped_question_gives_its_answer_away() -> None:
    (part,) = load("period", None, seed=0)
    for fact in part.dated:
        for text in (fact.question, *fact.paraphrases, *fact.tricks):
            assert not any(word.lower() in text.lower() for word in fact.accept)


def test_a_suite_of_the_real_world_is_asked_of_real_books_only(tmp_path: Path) -> None:
    real = load_items(SUITE, BOOKS, prepared(tmp_path), VOICE)
    assert real.persona is not None and len(pairs(real.persona.wordings)) == 16
    made = DatasetConfig(kind="library", generator="micro_library")
    made.library.period.cutoff = "1899"
    left_out = load_items(SUITE, made, tmp_path, VOICE)
    assert left_out.persona is not None and not left_out.persona.wordings
    assert left_out.left_out[0] == "period (asks about the real world)"


def test_without_a_cut_off_there_is_no_period(tmp_path: Path) -> None:
    items = load_items(SUITE, DATASET, prepared(tmp_path), VOICE)
    assert items.persona is not None and items.persona.wordings == []
    assert any("cutoff is not set" in sentence for sentence in items.left_out)


def test_facts_of_one_side_only_are_said_to_be_no_measure(tmp_path: Path) -> None:
    written(tmp_path)
    later = [CLOSED.to_dict(), replace(CLOSED, group="Fir").to_dict()]
    (tmp_path / "period.json").write_text(json.dumps({"cutoff": "1869", "facts": later}))
    items = load_items(CONFIG, DATASET, tmp_path, VOICE)
    assert any("both before and after" in sentence for sentence in items.left_out)


def test_questions_that_training_has_seen_are_left_out(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "train.jsonl").write_bytes((tmp_path / "heldout.jsonl").read_bytes().splitlines(keepends=True)[0])
    items = load_items(CONFIG, DATASET, tmp_path, VOICE)
    assert items.seen and items.persona is not None
    kept = {sample.id for talk in items.persona.dialogues for sample in talk} | {sample.id for sample in items.questions}
    assert not kept & set(items.seen)


def test_another_evaluation_leaves_the_period_out(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "heldout.jsonl").write_text("")
    items = load_items(EvaluationConfig(suites=["period"]), DatasetConfig(), tmp_path)
    assert items.parts == [] and "period" in items.left_out[0]


def suite_file(path: Path, **changes: object) -> str:
    part = {"kind": "period", "items": [{"question": "Who?", "answer": "He did.", "date": 1850, "accept": ["he"]}]} | changes
    path.write_text(yaml.safe_dump({"name": "mine", "version": 1, "source": "made up", "parts": [part]}))
    return str(path)


def test_several_suites_of_dated_questions_are_one_measure(tmp_path: Path) -> None:
    own = suite_file(tmp_path / "mine.yaml")
    items = load_items(replace(SUITE, suites=["period", own]), BOOKS, prepared(tmp_path), VOICE)
    assert items.persona is not None
    assert {wording.fact.date for wording in items.persona.wordings} >= {"1850", "1522"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"real": "perhaps"}, "real is 'perhaps'"),
        ({"items": []}, "items is"),
        ({"items": [{"question": "Who?", "answer": "He.", "date": "soon", "accept": ["he"]}]}, "no year or date"),
        ({"metric": "x"}, "unknown key metric"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_file(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as found:
        load(suite_file(tmp_path / "mine.yaml", **changes), None, seed=0)
    assert "mine.yaml" in str(found.value)
