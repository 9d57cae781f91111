"""Does the completion keep the think format: `<think>…</think>` and then an answer?"""

from trivium.sample import Sample
from trivium.scores.completion import Completion
from trivium.scores.words import words


def exact(completion: Completion, sample: Sample, *, preopened: bool = False) -> float:
    """1.0 for one opening tag at the start, thinking, one closing tag and an answer, else 0.0.

    Where the template writes the opening tag into the prompt (`preopened`), the completion need not repeat it.
    """
    return float(_kept(completion, preopened) == 1.0)


def approximate(completion: Completion, sample: Sample, *, preopened: bool = False) -> float:
    """How much of the think format is kept, from 0 to 1; it is 1 exactly where `exact` is.

    Thinking that is closed and followed by an answer earns 0.4; a single closing tag, a single opening tag, and nothing
    before it earn 0.2 each. Tags without words between them, or without an answer after them, earn nothing.
    """
    return _kept(completion, preopened)


def _kept(completion: Completion, preopened: bool) -> float:
    if not words(completion.answer) or not words(completion.thinking or ""):
        return 0.0
    text, tags = completion.text, completion.tags
    opened = text.count(tags.open)
    missing = preopened and opened == 0
    parts = (text.count(tags.close) == 1, opened == 1 or missing, text.lstrip().startswith(tags.open) or missing)
    return round(0.4 + 0.2 * sum(parts), 6)
