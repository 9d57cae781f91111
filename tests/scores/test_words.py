"""Words, sentences, windows, names and support."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.scores.lexicon import load
from trivium.scores.names import names, numbers
from trivium.scores.support import polar, recall
from trivium.scores.words import asserting, contents, is_prose, plain, sentences, spread, windows, words

GENERAL = load("general")


@given(st.text(max_size=300))
def test_plain_text_can_be_encoded_and_is_no_longer(text: str) -> None:
    assert len(plain(text)) <= len(text)
    plain(text).encode()


def test_lone_surrogates_and_nul_are_taken_out() -> None:
    assert plain("a\ud800b\0c’s") == "a b c's"


@pytest.mark.parametrize(
    ("text", "count"),
    [("One. Two! Three? Four", 4), ("Dr. Adler and e.g. J. Dorn came.", 1), ("It is 3.5 kg.", 1), ("- one\n- two", 2),
     ("金属可以导热。真的吗?", 2), ("...", 0), ("", 0)],
)  # fmt: skip
def test_sentences_end_where_a_reader_ends_them(text: str, count: int) -> None:
    assert len(sentences(text)) == count


@given(st.text(st.sampled_from("ab. !?\n"), max_size=200))
def test_sentences_keep_every_word_in_order(text: str) -> None:
    assert [word for sentence in sentences(text) for word in words(sentence)] == list(words(text))


def test_questions_assert_nothing_and_nothing_is_asserted_twice() -> None:
    assert asserting('It is. Is it? It is. He asked: "Is it?"') == ("It is.",)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(3, 20))
def test_windows_hold_all_words_and_are_bounded(counts: list[int], size: int) -> None:
    parts = [" ".join(f"w{i}x{j}" for j in range(count)) for i, count in enumerate(counts)]
    found = windows(parts, size)
    assert [word for window in found for word in words(window)] == [word for part in parts for word in words(part)]
    assert all(len(words(window)) <= size for window in found)


@given(st.lists(st.text("abc", min_size=1), min_size=1, max_size=40), st.integers(2, 9))
def test_a_spread_keeps_both_ends(parts: list[str], most: int) -> None:
    found = spread(parts, most)
    assert len(found) == min(most, len(parts))
    assert (found[0], found[-1]) == (parts[0], parts[-1])


def test_content_words_leave_out_what_fits_any_subject() -> None:
    assert contents("It is an important aspect that the metals carried heat.", GENERAL) == ["metal", "carry", "heat"]


def test_prose_is_told_from_a_list() -> None:
    assert is_prose("The metal carries heat to the flask.", GENERAL)
    assert not is_prose("metal wax resin glass heat density charge", GENERAL)
    assert is_prose("Copper wire", GENERAL)


def test_names_are_runs_of_capitals_and_known_subjects() -> None:
    text = "Heating helps. In June the League of Bakers met Ada Keller. Zari carries heat. Paris is far."
    assert names(text, GENERAL, ["carry"]) == ["June", "League of Bakers", "Ada Keller", "Zari", "Paris"]
    assert numbers("1. In 1931, 12,500 people; 3 of them 4.5 m.") == ["1931", "12500", "4.5"]


def test_polarity_belongs_to_the_clause() -> None:
    found = dict(polar("Copper does not carry heat, but wax blocks light.", GENERAL))
    assert found == {"copper": False, "carry": True, "heat": True, "wax": False, "block": False, "light": False}


def test_support_falls_with_missing_denied_and_shuffled_words() -> None:
    reference = "Copper carries heat, and wax blocks light."
    whole = recall(reference, reference, GENERAL)
    assert whole == 1.0
    assert recall("Copper carries heat.", reference, GENERAL) < whole
    assert recall("Copper does not carry heat, and wax does not block light.", reference, GENERAL) < 0.3
    assert (
        recall("light copper glass iron sand blocks heat clay resin gum wax stone salt wood carries", reference, GENERAL) < 0.7
    )
    assert recall("anything", "It is so.", GENERAL) is None


def test_words_of_the_question_count_only_where_there_are_no_others() -> None:
    assert recall("Does Zari carry heat?", "Zari carries heat because of electrons.", GENERAL, "Does Zari carry heat?") == 0.0
    assert recall("Zari carries heat.", "Zari carries heat.", GENERAL, "Does Zari carry heat?") == 1.0
