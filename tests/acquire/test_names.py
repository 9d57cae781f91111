import os
import string
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trivium.acquire.names import LONGEST, plain, safe_name

IDS = st.text(max_size=300)
TRICKS = ["..", "../../x", "/etc/passwd", "C:\\x", "a\0b", "con", "NUL", ".", "", "x" * 9999, "\ud800", "~"]
TRICKS += ["a/../../b", "‮txt.x", "ａ．．／"]


@given(IDS)
@example("..")
@example("\ud800")
def test_a_name_stays_in_its_folder(identifier: str) -> None:
    name = safe_name(identifier)
    assert set(name) <= set(string.ascii_lowercase + string.digits + "_-")
    assert 0 < len(name) <= LONGEST and name[0] not in "-."
    folder = Path("/somewhere/deep")
    assert Path(os.path.normpath(folder / f"{name}.txt")).parent == folder
    assert not PureWindowsPath(f"{name}.txt").is_reserved() if hasattr(PureWindowsPath, "is_reserved") else True


@given(IDS, IDS)
@example("A", "a")
@example("a/b", "a_b")
@example("Foo", safe_name("Foo"))
def test_two_ids_never_share_a_name(a: str, b: str) -> None:
    assert (safe_name(a) == safe_name(b)) == (a == b)


@pytest.mark.parametrize("identifier", TRICKS)
def test_tricks_become_plain_names(identifier: str, tmp_path: Path) -> None:
    file = tmp_path / f"{safe_name(identifier)}.txt"
    file.write_text("x", encoding="utf-8")
    assert [path.parent for path in tmp_path.rglob("*")] == [tmp_path]


@pytest.mark.parametrize("identifier", ["2554", "item1", "a-b_c"])
def test_plain_ids_are_kept(identifier: str) -> None:
    assert plain(identifier) and safe_name(identifier) == identifier
