import pytest

from trivium.acquire import lists
from trivium.acquire.titles import same_author, same_title


@pytest.mark.parametrize(
    ("expected", "found", "same"),
    [
        ("We", "We", True),
        ("We", "The Power of Women", False),
        ("We", "What We Are", False),
        ("Dead Souls", "Dead Souls", True),
        ("Dead Souls", "Souls", False),
        ("Souls", "Dead Souls", False),
        ("Frankenstein", "Frankenstein; Or, The Modern Prometheus", True),
        ("The Idiot", "Idiot", True),
        ("Café Life", "CAFE LIFE.", True),
        ("Mutual Aid", "Mutual Aid: A Factor of Evolution", True),
        ("Mother", "Mother Goose", False),
        ("A Modern Utopia", "A Modern Instance", False),
        ("The Time Machine", "The Time Machine (abridged)", True),
        ("Candide", "", False),
        ("Anna Karenina", "Anna Karenin", False),
    ],
)
def test_titles_are_the_same_or_not(expected: str, found: str, same: bool) -> None:
    assert same_title([expected], found) is same


@pytest.mark.parametrize(
    ("expected", "found", "same"),
    [
        ("Fyodor Dostoyevsky", "Dostoyevsky, Fyodor", True),
        ("Fyodor Dostoyevsky", "Dostoevsky, Fyodor", True),
        ("Karel Čapek", "Capek, Karel", True),
        ("Plato", "Plato", True),
        ("Jack London", "Morris, William", False),
        ("H. G. Wells", "Welles, Orson", True),  # told apart by the title
        ("Jack London", "London County Council", False),
    ],
)
def test_authors_are_the_same_or_not(expected: str, found: str, same: bool) -> None:
    assert same_author(expected, [found]) is same


def test_the_shipped_lists_are_whole() -> None:
    works = lists.works("gutenberg_priority")
    assert len(works) == len({work.id for work in works}) == 58
    assert all(work.author and work.year and work.year < 1969 for work in works)
    for work in works:
        others = [other for other in works if other.author != work.author]
        assert not any(same_title(work.titles, title) for other in others for title in other.titles)
    subjects = lists.subjects("gutenberg_subjects")
    assert len(subjects) == len({s.casefold() for s in subjects}) >= 50
