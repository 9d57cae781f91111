"""Cutting: within the limit, nothing lost, paragraphs and sentences whole where they fit."""

from hypothesis import given
from hypothesis import strategies as st

from trivium.data import pieces as cutting
from trivium.data.pieces import pieces

TEXTS = st.text(alphabet=st.sampled_from("ab .!?\"'\n\tß文"), max_size=400)


@given(TEXTS, st.integers(1, 60))
def test_pieces_are_short_and_hold_everything(text: str, limit: int) -> None:
    found = list(pieces(text.splitlines(keepends=True), limit))
    assert all(0 < len(piece) <= limit for piece in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_paragraphs_are_kept_whole_and_filled_up() -> None:
    text = "First one.\n\nSecond one.\n\n\nThird paragraph is here.\n"
    assert list(pieces(text.splitlines(keepends=True), 25)) == ["First one.\n\nSecond one.", "Third paragraph is here."]


def test_a_long_paragraph_is_cut_after_sentences_with_their_quotes() -> None:
    text = ['He said "go." Then\n', "he left! Why? Nobody knows it.\n"]
    assert list(pieces(text, 20)) == ['He said "go."', "Then\nhe left! Why?", "Nobody knows it."]


def test_a_long_sentence_is_cut_between_words_and_a_long_word_anywhere() -> None:
    assert list(pieces(["aaa bbb ccc dddddddddd"], 8)) == ["aaa bbb", "ccc", "dddddddd", "dd"]


def test_an_endless_paragraph_is_not_held_in_memory() -> None:
    lines = ("word word word. " for _ in range(40_000))
    assert next(pieces(lines, 100)).startswith("word word word.")
    assert sum(1 for _ in lines) * 16 > 640_000 - 2 * cutting.BUFFER
