from pathlib import Path

from trivium.reference import markdown

ROOT = Path(__file__).parents[1]


def test_the_reference_page_is_current() -> None:
    page = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    assert page == markdown(), "run: python -m trivium.reference > docs/config.md"


def test_every_key_has_a_sentence() -> None:
    rows = [line for line in markdown().splitlines() if line.startswith("| `")]
    assert len(rows) > 80
    for row in rows:
        assert row.rstrip(" |").endswith((".", "off.", ")")), row
