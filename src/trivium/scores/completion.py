"""What a model wrote, with its thinking split off: the one place that knows the think format."""

from dataclasses import dataclass
from typing import NamedTuple


class Tags(NamedTuple):
    """What opens and closes the thinking part."""

    open: str = "<think>"
    close: str = "</think>"


THINK = Tags()
"""The usual tags."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole completion, its thinking, and its answer.

    `thinking` is None where no thinking part was closed. `answer` is what follows the thinking part; where one is opened
    and never closed there is no answer, and where there is none at all everything is the answer.
    """

    text: str
    thinking: str | None
    answer: str
    tags: Tags = THINK


def split(text: str, tags: Tags = THINK) -> Completion:
    """Split a completion at its first closing tag. A template may have opened the thinking already, in the prompt.

    >>> split("<think>2 + 2</think>It is 4.").answer, split("<think>2 + 2</think>It is 4.").thinking
    ('It is 4.', '2 + 2')
    >>> split("<think>2 + 2").answer, split("It is 4.").answer, split("2 + 2</think> It is 4.").thinking
    ('', 'It is 4.', '2 + 2')
    """
    before, closed, after = text.partition(tags.close)
    if closed:
        _, opened, inside = before.rpartition(tags.open)
        return Completion(text, (inside if opened else before).strip(), after.strip(), tags)
    head = text.partition(tags.open)[0]
    return Completion(text, None, head.strip(), tags)


def joined(thinking: str, answer: str, tags: Tags = THINK) -> str:
    """The text of a completion in the think format.

    >>> joined("2 + 2", "It is 4.")
    '<think>2 + 2</think>It is 4.'
    """
    return f"{tags.open}{thinking}{tags.close}{answer}"
