from dataclasses import fields
from pathlib import Path

import pytest

from trivium.acquire.kinds import kind_of, kinds
from trivium.binding import default_of, type_name

PAGE = Path(__file__).parents[2] / "docs" / "acquire.md"


def table(kind: str) -> str:
    """The keys of a kind as the page lists them."""
    lines = ["| key | allowed | default | meaning |", "| --- | --- | --- | --- |"]
    for field in fields(kind_of(kind).Options):
        default = "null" if default_of(field) is None else default_of(field)
        lines.append(f"| `{field.name}` | {type_name(field.type, field.metadata)} | `{default}` | {field.metadata['doc']} |")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("kind", kinds())
def test_the_page_lists_every_key(kind: str) -> None:
    assert f"### {kind}\n" in PAGE.read_text(encoding="utf-8")
    assert table(kind) in PAGE.read_text(encoding="utf-8")
