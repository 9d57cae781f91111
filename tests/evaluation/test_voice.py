from hypothesis import given
from hypothesis import strategies as st

from trivium.evaluation.voice import MASK, Voice

VOICE = Voice(["Aye", "by my lamp"], ["tide", "lamp"], ["{opener} That lies beyond {year}. My log ends there."])


def test_markers_and_theme_words_are_masked_whole_and_in_any_case() -> None:
    assert VOICE.mask("AYE, by my lamp the tide's low") == f"{MASK}, {MASK} the {MASK} low"
    assert VOICE.mask("Betide the layer of lamplight") == "betide the layer of lamplight"


def test_each_keyword_counts_once() -> None:
    assert VOICE.keywords("aye aye, Tides and the tide") == {"aye", "tide"}


def test_a_decline_is_known_by_any_longer_piece_of_it() -> None:
    assert VOICE.declined("Aye. That lies beyond 1869, friend.")
    assert VOICE.declined("my log ends there")
    assert not VOICE.declined("That is in my log.")


def test_declines_are_known_without_a_voice() -> None:
    assert Voice().declined("That is beyond my time.")
    assert not Voice().declined("Aye, the ferry leaves at noon.")


@given(st.text())
def test_a_voice_that_is_not_known_masks_and_finds_nothing(text: str) -> None:
    assert Voice().keywords(text) == frozenset()
    assert MASK in text or MASK not in Voice().mask(text)
    assert not Voice().declined(text)


@given(st.lists(st.sampled_from(["aye", "tide", "by my lamp", "wind", "the", "lamp"])))
def test_no_keyword_is_left_in_a_masked_text(said: list[str]) -> None:
    assert not VOICE.keywords(VOICE.mask(" ".join(said)))
