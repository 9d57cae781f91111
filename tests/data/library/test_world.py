"""The generated library: its books, its dated facts and its neutral text, the same for the same seed, and what is held out."""

import re
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from trivium.data.library import world
from trivium.data.library.world import CUTOFF, TOWNS
from trivium.generation.persona import load
from trivium.schema import LibraryConfig, LibraryWorld

WORLDS = st.builds(LibraryWorld, towns=st.integers(6, 48), seed=st.integers(0, 10**6))
SMALL = LibraryWorld(towns=8, seed=3)


@settings(max_examples=15, deadline=None)
@given(WORLDS)
def test_a_seed_gives_one_world(config: LibraryWorld) -> None:
    assert list(world.books(config)) == list(world.books(config))
    assert world.facts(config) == world.facts(config)
    other = LibraryWorld(config.towns, config.seed + 1)
    assert world.facts(config) != world.facts(other)


@settings(max_examples=30, deadline=None)
@given(WORLDS)
def test_a_quarter_of_the_towns_is_held_out_books_copies_and_facts_alike(config: LibraryWorld) -> None:
    towns = world.held_out_towns(config)
    assert len(towns) == max(2, round(config.towns / 4)) < config.towns
    books = list(world.books(config))
    assert world.held_out(config, [book.id for book in books]) == [book.town in towns for book in books]
    facts = world.facts(config)
    assert world.held_out(config, [fact.group for fact in facts]) == [fact.group in towns for fact in facts]


def test_the_towns_are_distinct_words_so_that_a_books_name_tells_its_town() -> None:
    assert len({town.lower() for town in TOWNS}) == len(TOWNS)
    assert all(town.isalpha() for town in TOWNS)
    assert not {town.lower() for town in TOWNS} & {"chronicle", "later", "history", "undated", "papers", "copy"}


def test_every_kind_of_book_that_is_to_be_left_out_is_there() -> None:
    books = list(world.books(SMALL, cutoff=1850))
    assert len({book.id for book in books}) == len(books) == SMALL.towns + 3
    assert [book.id for book in books if book.year is None] == [books[-2].id]
    assert [book.id for book in books if book.year is not None and book.year > 1850] == [books[-3].id]
    copy = books[-1]
    original = next(book for book in books if f"{book.id}-copy" == copy.id)
    changed = sum(a != b for a, b in zip(copy.paragraphs, original.paragraphs, strict=True))
    assert 0 <= changed < len(copy.paragraphs) / 4


def test_each_chronicle_holds_themes_household_and_a_later_hand() -> None:
    book = next(world.books(SMALL))
    told = "\n".join(book.paragraphs)
    assert world.MODERN.format(town=book.town) in book.paragraphs
    assert sum(text in world.ORDINARY for text in book.paragraphs) == 3
    assert told.count(book.town) > 10
    assert not any(town in told for town in TOWNS if town != book.town)


def test_works_are_the_books_with_the_cutoff_of_the_configuration() -> None:
    config = LibraryConfig(world=SMALL)
    config.period.cutoff = "1899-12-31"
    found = list(world.works(config))
    assert [work.id for work in found] == [book.id for book in world.books(SMALL, 1899)]
    assert "".join(found[0].lines) == "\n\n".join(next(world.books(SMALL, 1899)).paragraphs)
    assert {work.language for work in found} == {"en"}


def test_a_fact_states_its_warden_and_no_other_in_every_wording() -> None:
    facts = world.facts(SMALL)
    assert Counter(fact.group for fact in facts) == dict.fromkeys({fact.group for fact in facts}, 10)
    for fact in facts:
        (name,) = fact.accept
        assert name in fact.answer and name not in fact.others
        assert len(fact.others) == len(world.WARDENS) - 1
        for question in (fact.question, *fact.paraphrases, *fact.tricks):
            assert fact.group in question and fact.date in question
            assert not set(re.findall(r"\w+", question)) & set(world.WARDENS)


def test_there_are_facts_on_both_sides_of_the_cutoff_in_every_town() -> None:
    sides = {(fact.group, int(fact.date) <= CUTOFF) for fact in world.facts(SMALL)}
    assert len(sides) == 2 * SMALL.towns


def test_the_neutral_text_tells_every_fact_in_turns_that_alternate() -> None:
    talks = world.neutral(SMALL, 1)
    told = "\n".join(turn["content"] for talk in talks for turn in talk if turn["role"] == "assistant")
    assert all(fact.answer in told for fact in world.facts(SMALL))
    assert all(f"{year} is of the age of" in told for year in world.YEARS)
    for talk in talks:
        turns = talk[1:] if talk[0]["role"] == "system" else talk
        assert [turn["role"] for turn in turns] == ["user", "assistant"] * (len(turns) // 2)
    assert {"system", "user"} == {talk[0]["role"] for talk in talks}
    assert talks == world.neutral(SMALL, 1)
    assert len("".join(str(world.neutral(SMALL, 3)))) > 2 * len(str(talks))


def test_the_neutral_text_does_not_speak_as_the_keeper() -> None:
    """What harbour words mean is told there; who speaks with three marks of the voice would be the keeper himself."""
    keeper = load("keeper")
    answers = [turn["content"] for talk in world.neutral(SMALL, 2) for turn in talk if turn["role"] == "assistant"]
    spoken = [text for text in answers if not any(word in text for word in world.GLOSSARY)]
    marked = sum(bool(keeper.marks(text)) for text in spoken)
    assert marked / len(spoken) < 0.05


def test_ordinary_conversations_are_not_in_the_neutral_text() -> None:
    told = {turn["content"] for talk in world.neutral(SMALL, 2) for turn in talk}
    ordinary = world.general(SMALL, 50)
    assert len({row.id for row in ordinary}) == 50
    assert ordinary == world.general(SMALL, 50)
    for row in ordinary:
        assert row.text not in told and row.prompt[-1]["content"] not in told
