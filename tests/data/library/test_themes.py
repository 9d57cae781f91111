"""Keywords of themes: whole words, each once, in every theme that has it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.data import yamlfile
from trivium.data.library import themes
from trivium.data.library.themes import Found, Lexicon, Themes, lint
from trivium.errors import ConfigError

WORDS = {"sea": ("tide", "reef", "colony|colonies"), "light": ("lamp", "tide", "lamp oil")}


@pytest.fixture(scope="module")
def finder() -> Themes:
    return Themes(Lexicon("t", 1, "s", WORDS, {}))


@pytest.mark.parametrize(
    ("text", "total", "counts"),
    [
        ("The tide. The TIDE, the tides!", 1, {"sea": 1, "light": 1}),
        ("untidy tideless reefer stides", 0, {}),
        ("tide-mark, tide's; (reefs)", 2, {"sea": 2, "light": 1}),
        ("a colony and many colonies", 1, {"sea": 1}),
        ("lamp\noil", 2, {"light": 2}),
        ("", 0, {}),
    ],
)
def test_words_are_whole_and_count_once(finder: Themes, text: str, total: int, counts: dict[str, int]) -> None:
    assert finder.find(text) == Found(total, counts)


@given(st.lists(st.sampled_from(["tide", "reef", "lamp", "İx", "stride", "ß"]), max_size=12))
def test_the_total_is_the_distinct_words(words: list[str]) -> None:
    finder = Themes(Lexicon("t", 1, "s", WORDS, {}))
    assert finder.find(", ".join(words)).total == len({"tide", "reef", "lamp"} & set(words))


def test_lint_finds_what_is_wrong() -> None:
    words = {"a": ("tide", "Tide", "tides", "the sea wall"), "b": ("tide", "sea wall", "always"), "c": ()}
    found = " ".join(lint(Lexicon("t", 1, "s", words, {})))
    assert "c is empty" in found and "'tide' stands in a and in b" in found and "'tides' is the plural" in found
    assert "'the sea wall' holds 'sea wall'" in found and "'always' of b is an ordinary word" in found


@pytest.mark.parametrize("name", sorted(yamlfile.shipped(themes.SHIPPED)))
def test_the_shipped_lexicons_are_clean(name: str) -> None:
    lexicon = themes.load(name)
    assert lint(lexicon) == []
    assert all(lexicon.anchors[theme] for theme in lexicon.words)


def test_an_own_lexicon_may_extend_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "name: own\nversion: 2\nsource: me\nextends: small_world\ncategories: {sea: {words: [kelp]}, air: {words: [wind]}}"
    )
    lexicon = themes.load(str(tmp_path / "own.yaml"))
    assert lexicon.words["sea"] == ("kelp",) and lexicon.words["air"] == ("wind",)
    assert lexicon.words["light"] == themes.load("small_world").words["light"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("name: x", "missing"),
        ("name: x\nversion: 1\nsource: s\ncategories: {sea: [tide]}", "sea: expected `key: value` pairs"),
        ("name: x\nversion: 1\nsource: s\ncategories: {sea: {words: ['|']}}", "no letters"),
        ("name: x\nversion: 1\nsource: s\ncategories: {sea: {words: []}}", "no words"),
        ("{", "is not YAML"),
    ],
)
def test_a_bad_lexicon_is_named(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "bad.yaml").write_text(content)
    with pytest.raises(ConfigError, match=complaint):
        themes.load(str(tmp_path / "bad.yaml"))
