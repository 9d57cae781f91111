"""Filters over fields and metadata."""

from typing import Any

import pytest

from trivium.data.where import Where
from trivium.errors import ConfigError, DataError
from trivium.sample import Sample

SAMPLES = [
    Sample(
        "a",
        source_type="press release",
        year=1990,
        authority=0.9,
        metadata={"place": "Linden", "pages": 3, "tags": ["x", "y"], "a.b": 1},
    ),
    Sample("b", source_type="patent", year=1890, authority=0.1, metadata={"place": "Carrick"}),
    Sample("c", source_type="patent", year=None, authority=0.5),
]


@pytest.mark.parametrize(
    ("conditions", "kept"),
    [
        ({}, "abc"),
        ({"source_type": "patent"}, "bc"),
        ({"source_type": ["Press_Release"]}, "a"),
        ({"year": {"min": 1890, "max": 1990}}, "ab"),
        ({"year": {"max": 1900}, "source_type": "patent"}, "b"),
        ({"authority": {"min": 0.2}}, "ac"),
        ({"band": ["low", "high"]}, "ab"),
        ({"place": "Linden"}, "a"),
        ({"metadata.pages": {"min": 2}}, "a"),
        ({"place": {"min": 1}}, ""),
        ({"year": []}, ""),
        ({"tags": "y"}, "a"),
        ({"tags": ["z"]}, ""),
        ({"a.b": 1}, "a"),
        ({"a": {"b": {"max": 1}}}, "a"),
        ({"metadata": {"a": {"b": 2}}}, ""),
    ],
)
def test_conditions(conditions: dict[str, Any], kept: str) -> None:
    where = Where(conditions)
    assert "".join(s.id for s in SAMPLES if where.keeps(s)) == kept
    where.check()


def test_an_unknown_field_is_named_with_near_ones() -> None:
    where = Where({"plase": "Linden", "authority": 0.9})
    assert not [s for s in SAMPLES if where.keeps(s)]
    with pytest.raises(DataError, match=r"dataset\.where\.plase: no sample has such a field; did you mean place"):
        where.check()


@pytest.mark.parametrize("bad", [{}, {"least": 1}, {"min": 2, "max": 1}, {"min": "a", "max": 1}, {"min": None}])
def test_a_range_that_is_none(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"dataset\.where\.year: .* is not a range"):
        Where({"year": bad})
