from hypothesis import given
from hypothesis import strategies as st

from trivium.data.library.kin import kin
from trivium.sample import Sample

TOLD = [f"This is sentence number {i} of a long and rather tedious chronicle of harbours." for i in range(120)]


def cut(document: str, sentences: list[str], size: int) -> list[Sample]:
    return [
        Sample(f"{document}#{i}", " ".join(sentences[i : i + size]), document=document) for i in range(0, len(sentences), size)
    ]


@given(st.integers(2, 12), st.integers(0, 11), st.integers(2, 12))
def test_a_reprint_is_found_however_its_paragraphs_break(size: int, skipped: int, other: int) -> None:
    assert kin([*cut("first", TOLD, size), *cut("reprint", TOLD[skipped:], other)]) == {"reprint": "first"}


def test_an_extract_belongs_to_its_work() -> None:
    assert kin([*cut("work", TOLD, 5), *cut("extract", TOLD[30:90], 7)]) == {"extract": "work"}


def test_works_that_share_a_quotation_are_no_kin() -> None:
    other = [sentence.replace("chronicle", "almanac") for sentence in TOLD]
    assert kin([*cut("one", TOLD, 5), *cut("other", [*other, *TOLD[:3]], 5)]) == {}


def test_what_stands_in_many_works_ties_none_together() -> None:
    notice = [f"This notice is printed in every volume of the series, line {i} of it." for i in range(60)]
    own = {
        f"w{n}": [f"Work {n} says a thing of its own here, namely thing number {i} of many." for i in range(60)]
        for n in range(12)
    }
    assert kin([passage for name, told in own.items() for passage in cut(name, notice + told, 5)]) == {}


def test_short_sentences_and_nothing_are_not_compared() -> None:
    assert kin([]) == {}
    assert kin([*cut("a", ["Yes."] * 50, 5), *cut("b", ["Yes."] * 50, 5)]) == {}
