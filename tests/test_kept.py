"""Things kept in memory: made once while they are among the newest, and never more than so many."""

from hypothesis import given
from hypothesis import strategies as st

from trivium.kept import Kept


@given(st.lists(st.sampled_from("abcd"), max_size=30), st.integers(1, 4))
def test_what_is_among_the_newest_is_not_made_again(keys: list[str], size: int) -> None:
    kept, made, newest = Kept[list[str]](size), list[str](), list[str]()
    for key in keys:
        before = len(made)
        assert kept.get(key, lambda key=key: made.append(key) or [key]) == [key]
        assert (len(made) > before) == (key not in newest)
        newest = [*(other for other in newest if other != key), key][-size:]


def test_the_oldest_is_let_go_before_another_is_made() -> None:
    kept, held = Kept[object](1), list[int]()
    kept.get("a", object)
    kept.get("b", lambda: held.append(len(kept._things)) or object())
    assert held == [0]
