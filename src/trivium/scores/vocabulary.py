"""Which words of a field does the answer use?"""

from trivium.sample import Sample
from trivium.scores.completion import Completion
from trivium.scores.lexicon import load
from trivium.scores.words import plain


def terminology(completion: Completion, sample: Sample, *, lexicon: str = "small_world", most: int = 5) -> float:
    """The share of `most` distinct terms of a lexicon (all its categories) that the answer names, from 0 to 1.

    It is easily gamed, for a list of terms earns everything; use it beside scores that read sentences, or as a control.
    """
    terms = load(lexicon)
    found = {term.lower() for term in terms.find(plain(completion.answer), *terms.categories, negatable=False)}
    return min(1.0, len(found) / max(1, most))
