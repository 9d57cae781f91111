from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from trivium.artifact import cached, key_of, valid, write_json


def make(out: Path) -> Mapping[str, Any]:
    (out / "a.txt").write_text("whole")
    return {"rows": 1}


def test_a_product_is_made_once(tmp_path: Path) -> None:
    first, reused = cached(tmp_path / "p", "prepare", "k", make)
    again, reused_again = cached(tmp_path / "p", "prepare", "k", lambda out: pytest.fail("made twice"))
    assert (reused, reused_again) == (False, True)
    assert first == again
    assert again.metrics == {"rows": 1}


def test_another_key_makes_it_anew(tmp_path: Path) -> None:
    cached(tmp_path / "p", "prepare", "k", make)
    assert valid(tmp_path / "p", "other") is None
    _, reused = cached(tmp_path / "p", "prepare", "other", make)
    assert not reused


@pytest.mark.parametrize("damage", ["change", "remove", "manifest"])
def test_a_damaged_product_is_not_taken_for_whole(tmp_path: Path, damage: str) -> None:
    cached(tmp_path / "p", "prepare", "k", make)
    if damage == "change":
        (tmp_path / "p" / "a.txt").write_text("half")
    elif damage == "remove":
        (tmp_path / "p" / "a.txt").unlink()
    else:
        (tmp_path / "p" / "manifest.json").write_text('{"stage": "prep')
    assert valid(tmp_path / "p", "k") is None
    assert not cached(tmp_path / "p", "prepare", "k", make)[1]


def test_a_failed_making_leaves_nothing(tmp_path: Path) -> None:
    def fail(out: Path) -> Mapping[str, Any]:
        (out / "a.txt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path / "p", "prepare", "k", fail)
    assert list(tmp_path.iterdir()) == []


def test_keys_depend_on_every_part() -> None:
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert len({key_of(1), key_of(1.5), key_of("1"), key_of([1]), key_of({"a": 1})}) == 5


def test_json_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert '"a": 1' in path.read_text()
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]
