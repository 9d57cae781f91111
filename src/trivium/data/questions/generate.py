"""Questions for pieces of articles, from what is known of them: the section, a concept it links to, a category, the title."""

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from trivium.data.records import as_text
from trivium.data.rejects import BadRow

WORDINGS: dict[str, tuple[str, ...]] = {
    "section": (
        "What does the article on {title} say under the heading {about}?",
        "{title}: what is known about {about}?",
        "Summarise the part on {about} in the article on {title}.",
    ),
    "concept": (
        "How is {about} connected with {title}?",
        "What has {title} to do with {about}?",
        "Explain {about} in the context of {title}.",
    ),
    "category": (
        "What should be known about {title}, which is listed under {about}?",
        "Describe {title} with regard to {about}.",
    ),
    "title": (
        "What is known about {title}?",
        "Explain what there is to say about {title}.",
    ),
}
"""Wordings by what a question is made from, the most telling first; the first kind for which a row has something is taken."""


class Made(NamedTuple):
    """A question and what it was made from: section, concept, category or title."""

    text: str
    kind: str


def question(facts: Mapping[str, Any], seed: str) -> Made:
    """A question about a piece of an article; the seed chooses among the wordings.

    Raises `BadRow` when the article has no title.
    """
    title = _name(facts.get("title"))
    if title is None:
        raise BadRow("no question", "a question can only be made for a text that has a title or article_title")
    kind, about = next(_subjects(facts, title))
    wording = random.Random(f"question {seed}").choice(WORDINGS[kind])
    return Made(wording.format(title=title, about=about), kind)


def _subjects(facts: Mapping[str, Any], title: str) -> Iterator[tuple[str, str]]:
    """What can be asked about, best first; what only repeats the title says nothing."""
    for kind, column in (("section", "section"), ("concept", "internal_links"), ("category", "categories")):
        value = facts.get(column)
        items = value if isinstance(value, list | tuple) else [value]
        names = (_name(item) for item in items)
        about = next((name for name in names if name is not None and name.casefold() != title.casefold()), None)
        if about is not None:
            yield kind, about
    yield "title", title


def _name(value: Any) -> str | None:
    """A title, heading or link as one would say it: `[[Tide_mill|mills]]` is Tide mill."""
    text = as_text(value) if not isinstance(value, list | dict) else None
    if text is None:
        return None
    return " ".join(text.strip("[]").partition("|")[0].replace("_", " ").split()) or None
