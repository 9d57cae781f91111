"""Cutting: nothing is longer than asked, nothing is lost, windows overlap, and the whole work is never held."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.data.library import units
from trivium.data.library.chunk import Cut, cuts
from trivium.data.library.units import Characters, Tokens, Unit, Words, unit_of
from trivium.data.pieces import BUFFER
from trivium.schema.library import ChunkConfig

TEXTS = st.text(alphabet=st.sampled_from("ab .!?\"'\n\tß文"), max_size=400)
UNITS = st.sampled_from(["characters", "words", "tokens"])


def by_threes(text: str) -> list[tuple[int, int]]:
    """A tokenizer whose tokens are up to three characters that are no white space, or white space."""
    spans: list[tuple[int, int]] = []
    for i, character in enumerate(text):
        if spans and spans[-1][1] - spans[-1][0] < 3 and not character.isspace() and not text[i - 1].isspace():
            spans[-1] = (spans[-1][0], i + 1)
        else:
            spans.append((i, i + 1))
    return spans


def unit(config: ChunkConfig) -> Unit:
    return Tokens(by_threes) if config.unit == "tokens" else unit_of(config)


def cut(text: str, method: str, name: str, size: int, overlap: int = 0) -> list[Cut]:
    config = ChunkConfig(method=method, unit=name, size=size, overlap=overlap, min_size=0)
    return list(cuts(text.splitlines(keepends=True), config, unit(config)))


@given(TEXTS, UNITS, st.integers(1, 60))
def test_paragraphs_are_within_the_size_and_keep_every_word(text: str, name: str, size: int) -> None:
    found = cut(text, "paragraph", name, size)
    counted = unit(ChunkConfig(unit=name, size=size))
    assert all(0 < counted.count(passage.text) <= size for passage in found)
    assert "".join("".join(passage.text for passage in found).split()) == "".join(text.split())


@given(TEXTS, UNITS, st.integers(2, 60), st.data())
def test_windows_are_within_the_size_and_keep_every_character(text: str, name: str, size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    found = cut(text, "window", name, size, overlap)
    counted = unit(ChunkConfig(method="window", unit=name, size=size, overlap=overlap))
    assert all(counted.count(passage.text) <= size for passage in found)
    assert all(text[passage.start :].startswith(passage.text) for passage in found)
    covered = 0
    for passage in found:
        assert passage.start <= covered
        covered = max(covered, passage.start + len(passage.text))
    assert covered == len(text)


@given(TEXTS, st.integers(2, 60), st.data())
def test_windows_of_characters_overlap_by_what_is_asked(text: str, size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    found = cut(text, "window", "characters", size, overlap)
    shared = [a.start + len(a.text) - b.start for a, b in pairwise(found)]
    assert all(overlap <= n <= overlap + units.REACH for n in shared)


def test_windows_of_words_overlap_by_exactly_that_many_words() -> None:
    text = "\n".join(f"w{i} x{i}" for i in range(100))
    found = cut(text, "window", "words", 12, 5)
    for before, after in pairwise(found):
        assert before.text.split()[-5:] == after.text.split()[:5]
    assert "\n" in found[0].text


def test_the_passages_begin_where_they_say() -> None:
    text = "  One  two.\n\nThree four\nfive. Six seven eight nine ten eleven.\n\n\n   Twelve.\n"
    for passage in cut(text, "paragraph", "characters", 20):
        assert "".join(text[passage.start :].split()).startswith("".join(passage.text.split()))


def test_paragraphs_fill_up_and_what_joins_them_counts() -> None:
    text = "abcd\n\nefgh\n\nijkl\n"
    assert [c.text for c in cut(text, "paragraph", "characters", 10)] == ["abcd\n\nefgh", "ijkl"]
    assert [c.text for c in cut(text, "paragraph", "characters", 9)] == ["abcd", "efgh", "ijkl"]


def test_wrapped_lines_become_one() -> None:
    (found,) = cut("A line that\n  is wrapped.\r\n\nNext.", "paragraph", "characters", 99)
    assert found.text == "A line that is wrapped.\n\nNext."


def test_an_unbreakable_paragraph_is_cut_at_sentences_then_words_then_anywhere() -> None:
    found = [c.text for c in cut('He said "go." Then left. abcdefghijklm', "paragraph", "characters", 13)]
    assert found == ['He said "go."', "Then left.", "abcdefghijklm"]
    assert [c.text for c in cut("abcdefghijklm", "paragraph", "characters", 5)] == ["abcde", "fghij", "klm"]


def test_the_same_work_is_cut_alike_however_its_lines_come() -> None:
    text = ("One sentence of a paragraph. Another one follows it.\n" * 7 + "\n") * 400
    config, counted = ChunkConfig(size=300), Characters()
    whole = list(cuts([text], config, counted))
    assert list(cuts(text.splitlines(keepends=True), config, counted)) == whole
    assert len(whole) > 400


@pytest.mark.parametrize("method", ["paragraph", "window"])
@pytest.mark.parametrize("piece", ["word. ", "word ", "x"])
def test_a_book_of_one_line_is_never_held_whole(method: str, piece: str) -> None:
    taken = 0

    def lines() -> Iterator[str]:
        nonlocal taken
        for _ in range(40):
            taken += BUFFER
            yield (piece * BUFFER)[:BUFFER]

    config = ChunkConfig(method=method)
    for passage in cuts(lines(), config, unit_of(config)):
        assert 0 < len(passage.text) <= config.size
        assert taken - passage.start < 6 * BUFFER
    assert passage.start > 39 * BUFFER


def test_a_word_without_end_counts_as_several() -> None:
    assert Words().count("x" * 1000) == 4
    assert all(len(c.text) <= 512 for c in cut("x" * 5000, "window", "words", 1))


def test_a_real_tokenizer_counts_its_tokens(tmp_path_factory: pytest.TempPathFactory) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    from transformers import PreTrainedTokenizerFast

    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"?": 0}, unk_token="?"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    folder = tmp_path_factory.mktemp("tokenizer")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="?").save_pretrained(folder)
    config = ChunkConfig(unit="tokens", size=5, overlap=2, tokenizer=str(folder), method="window")
    found = list(cuts(["One, two, three; four. Five six seven eight."], config, unit_of(config)))
    assert unit_of(config).count("One, two") == 3
    assert all(unit_of(config).count(c.text) <= 5 for c in found) and len(found) > 2
