"""Lexicons: what is shipped is sound, and what is not is named."""

import os
from pathlib import Path

import pytest

from trivium.errors import ConfigError
from trivium.scores.lexicon import SHIPPED, lint, load

HEAD = "name: mine\nversion: 1\nsource: a test\n"


def written(folder: Path, body: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(HEAD + body, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_lexicons_are_sound(path: Path) -> None:
    lexicon = load(path.stem)
    assert lexicon.name == path.stem
    assert lint(lexicon) == []


def test_lint_finds_what_works_against_itself(tmp_path: Path) -> None:
    body = (
        "opposed: [[hedges, confident]]\n"
        "categories: {hedges: [maybe, in fact, as a, Maybe], confident: [in fact, as a result, was alone], empty: []}\n"
    )
    found = lint(load(written(tmp_path, body)))
    assert found == [
        "empty is empty",
        "hedges holds 'maybe' twice",
        "'in fact' stands in hedges and in confident, which are opposed",
        "'as a result' of confident holds 'as a' of hedges",
    ]


def test_phrases_are_found_on_word_boundaries_and_may_be_denied(tmp_path: Path) -> None:
    lexicon = load(written(tmp_path, "extends: general\ncategories: {terms: [base, as a]}\n"))
    assert lexicon.find("It was based. It was a base", "terms") == ["base"]
    assert lexicon.find("It is no base", "terms") == []
    assert lexicon.find("It is no base", "terms", negatable=False) == ["base"]
    assert lexicon.find("He said “base”.", "terms", own=True) == []
    assert "hedges" in lexicon.categories


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    name = written(tmp_path, "categories: {terms: [one]}\n")
    assert load(name) is load(name)
    assert load(name).of("terms") == ("one",)
    written(tmp_path, "categories: {terms: [two]}\n")
    os.utime(name, ns=(1, 1))
    assert load(name).of("terms") == ("two",)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("categories: {terms: no}\n", "terms"),
        ("categories: {terms: [no]}\n", "quotes"),
        ("categories: {terms: [a]}\nopposed: [[terms, others]]\n", "others"),
        ("categories: {terms: [a]}\nopposed: [terms]\n", "opposed"),
        ("terms: [a]\n", "categories"),
        ("categories: {terms: [a]}\nextends: nothing.yaml\n", "nothing.yaml"),
    ],
)
def test_a_broken_lexicon_is_named(body: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=named):
        load(written(tmp_path, body))


def test_a_missing_lexicon_or_category_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"generall.*shipped name or a YAML file"):
        load("generall")
    with pytest.raises(ConfigError, match=r"no category hedges.*extends: general"):
        load(written(tmp_path, "categories: {terms: [a]}\n")).of("hedges")
