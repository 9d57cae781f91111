"""The ledger: the first reply stays, whoever writes it, and what is written is there at once for all."""

from pathlib import Path

import pytest

from trivium.errors import DataError
from trivium.generation.ledger import Ledger, Reply


def test_the_first_reply_stays_and_all_see_it(tmp_path: Path) -> None:
    one, other = Ledger(tmp_path / "deep" / "ledger"), Ledger(tmp_path / "deep" / "ledger")
    one.put("key", "work#0/core/0", 0, Reply("first", 10, 3))
    other.put("key", "work#0/core/0", 0, Reply("second", 10, 3))
    other.put("more", "work#0/core/0", 1, Reply("", None, None))
    assert one.get("key") == other.get("key") == Reply("first", 10, 3)
    assert one.get("more") == Reply("", None, None) and one.get("other") is None
    assert one.tokens() == (10, 3)
    one.close()
    other.close()


@pytest.mark.parametrize("text", ["line\nbreaks\x00 and zeros", "ß" * 10**6])
def test_any_text_comes_back_as_it_was(tmp_path: Path, text: str) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.put("key", "job", 0, Reply(text))
    ledger.close()
    again = Ledger(tmp_path / "ledger")
    assert again.get("key") == Reply(text)
    again.close()


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no ledger of replies"):
        Ledger(tmp_path)
