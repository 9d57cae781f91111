"""Sentences turned into their opposites by rule: the right words with the wrong conclusion."""

import re

from trivium.rewards.paraphrase import embedded, replaced
from trivium.sample import Sample
from trivium.scores.words import plain, sentences

_UNDONE = {
    "is not": "is", "are not": "are", "was not": "was", "were not": "were", "isn't": "is", "aren't": "are", "wasn't": "was",
    "weren't": "were", "cannot": "can", "can't": "can", "will not": "will", "won't": "will", "should not": "should",
    "never": "always", "no longer": "still", "does not": "does", "do not": "do", "did not": "did", "doesn't": "does",
    "don't": "do", "didn't": "did",
}  # fmt: skip
"""Denials, and what is left without them."""
_AUXILIARY = re.compile(
    r"(?<![\w'])(is|are|was|were|can|will|would|should|could|must|may|might|do|does|did)(?![\w'])(?! not\b)", re.IGNORECASE
)
_HAVING = re.compile(r"(?<![\w'])(has|have|had)(?![\w'])(?: (\w+))?", re.IGNORECASE)
_LACKING = {"has": "does not have", "have": "do not have", "had": "did not have"}
_PARTICIPLES = frozenset((
    "become", "bought", "brought", "built", "come", "cut", "done", "found", "gone", "grown", "had", "held", "kept", "known",
    "led", "left", "lost", "made", "met", "paid", "put", "read", "said", "sent", "set", "shown", "sold", "spent", "told", "won",
))  # fmt: skip
"""The commonest participles that do not end in -ed or -en."""
_VERDICT = re.compile(r"^(yes|no|true|false)\b", re.IGNORECASE)
_OPPOSITE = {"yes": "No", "no": "Yes", "true": "False", "false": "True"}


def contradictions(sample: Sample) -> list[str]:
    """Answers with the reference's words that say the opposite of it.

    They are made of `sample.metadata["contradictions"]` and `["facts"]` where these are texts, else by negating the reference.
    """
    reference = plain(sample.reference or "").strip()
    wrong, facts = _texts(sample.metadata.get("contradictions")), _texts(sample.metadata.get("facts"))
    if not wrong:
        return list(dict.fromkeys([negated(reference), denied(reference)]))
    found = [" ".join(f"{text[:1].upper()}{text[1:].rstrip('.')}." for text in wrong[:2])]
    if facts and facts[0] in reference:
        found.append(turned(reference.replace(facts[0], wrong[0])))
    return found


def negated(text: str) -> str:
    """Every sentence of a text turned into its opposite.

    >>> negated("Yes, it is warm. It never rains."), negated("Water boils.")
    ('No, it is not warm. It always rains.', 'It is not true that Water boils.')
    """
    return " ".join(_opposite(turned(sentence)) for sentence in sentences(text))


def denied(text: str) -> str:
    """Every sentence of a text said to be false.

    >>> denied("The river rose. It fell.")
    'It is false that the river rose. It is false that it fell.'
    """
    return " ".join(f"It is false that {embedded(sentence)}" for sentence in sentences(text))


def turned(text: str) -> str:
    """The text with its first word turned, where that is a verdict such as yes or no."""
    return _VERDICT.sub(lambda match: _OPPOSITE[match[0].lower()], text)


def _opposite(sentence: str) -> str:
    undone = replaced(sentence, _UNDONE)
    if undone != sentence:
        return undone
    changed, count = _AUXILIARY.subn(r"\1 not", sentence, count=1)
    if not count:
        changed, count = _HAVING.subn(_without, sentence, count=1)
    return changed if count else f"It is not true that {embedded(sentence)}"


def _without(match: re.Match[str]) -> str:
    having, after = match[1], match[2] or ""
    if after.endswith(("ed", "en")) or after in _PARTICIPLES:
        return f"{having} not {after}"
    return f"{_LACKING[having.lower()]} {after}".rstrip()


def _texts(value: object) -> list[str]:
    """The texts of a list; of alternatives the first."""
    listed = value if isinstance(value, list | tuple) else []
    firsts = [item[0] if isinstance(item, list | tuple) and item else item for item in listed]
    return [text for text in firsts if isinstance(text, str) and text.strip()]
