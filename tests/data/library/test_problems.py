"""The check finds what cannot hold, all at once."""

from pathlib import Path

import pytest

from trivium.data.library.problems import problems_in
from trivium.schema.library import LibraryConfig


def test_the_defaults_hold() -> None:
    assert list(problems_in(LibraryConfig())) == []


@pytest.mark.parametrize(
    ("part", "values", "said"),
    [
        ("chunk", {"method": "window", "overlap": 1024}, "overlap=1024 is not below"),
        ("chunk", {"min_size": 2000}, "nothing is left"),
        ("chunk", {"unit": "tokens"}, "needs dataset.library.chunk.tokenizer"),
        ("themes", {"max_matches": 1}, "max_matches=1 is below"),
        ("themes", {"ordinary": "gone.txt"}, "gone.txt is no .txt or .jsonl file"),
        ("themes", {"lexicon": "perio"}, "dataset.library.themes.lexicon: perio cannot be read"),
        ("period", {"anachronisms": "mode"}, "dataset.library.period.anachronisms: mode cannot be read"),
        ("period", {"cutoff": "1869-13-01"}, "dataset.library.period.cutoff"),
        ("period", {"cutoff": "soon"}, "'soon' is no year or date"),
        ("period", {"cutoff": "2999"}, "yet to come"),
    ],
)
def test_what_cannot_hold_is_said(part: str, values: dict[str, object], said: str) -> None:
    config = LibraryConfig()
    for key, value in values.items():
        setattr(getattr(config, part), key, value)
    (problem,) = problems_in(config)
    assert said in problem


def test_problems_are_found_together(tmp_path: Path) -> None:
    config = LibraryConfig()
    config.chunk.min_size, config.period.cutoff, config.themes.lexicon = 5000, "never", str(tmp_path)
    assert len(list(problems_in(config))) == 3


def test_paragraphs_may_have_any_overlap() -> None:
    config = LibraryConfig()
    config.chunk.overlap = config.chunk.size
    assert list(problems_in(config)) == []
