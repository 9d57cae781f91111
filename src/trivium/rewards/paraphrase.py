"""Other wordings of a reference that stay true, so that a reward is tried on more than the reference's own words."""

import re
from collections.abc import Iterator

from trivium.sample import Sample
from trivium.scores.lexicon import load
from trivium.scores.words import plain, sentences, words

_SYNONYMS = {
    "because": "since", "therefore": "thus", "for example": "for instance", "in order to": "so as to",
    "although": "even though", "in addition": "besides", "approximately": "roughly", "due to": "because of",
    "however": "nevertheless", "such as": "like", "a number of": "several", "usually": "as a rule",
    "it is possible to": "one can", "important": "significant", "big": "large", "many": "numerous", "help": "assist",
    "helps": "assists", "uses": "employs", "used": "employed", "begin": "start", "begins": "starts",
    "show": "demonstrate", "shows": "demonstrates", "needs": "requires", "buy": "purchase", "make sure": "ensure",
    "different": "differing", "various": "diverse", "difficult": "hard", "easy": "simple", "quickly": "fast",
    "quick": "fast", "often": "frequently", "main": "chief", "method": "technique", "methods": "techniques",
    "problem": "difficulty", "problems": "difficulties", "reduce": "lower", "reduces": "lowers",
    "difference": "distinction", "goal": "aim", "goals": "aims", "idea": "notion", "ideas": "notions",
    "great": "excellent", "happy": "glad", "sad": "unhappy", "children": "kids", "especially": "above all",
    "entire": "whole", "wrong": "mistaken", "finally": "at last",
}  # fmt: skip
"""Words and phrases that may be exchanged in nearly any sentence."""
_CONTRACTIONS = {
    "is not": "isn't",
    "are not": "aren't",
    "was not": "wasn't",
    "were not": "weren't",
    "does not": "doesn't",
    "do not": "don't",
    "did not": "didn't",
    "cannot": "can't",
    "will not": "won't",
    "has not": "hasn't",
    "have not": "haven't",
    "it is": "it's",
    "that is": "that's",
}
_LEANING = frozenset((
    "it", "its", "he", "she", "they", "their", "his", "her", "this", "that", "these", "those", "such", "then",
    "also", "so", "but", "and", "or", "yet", "however", "therefore", "thus", "hence", "first", "second", "third",
    "next", "finally", "otherwise", "instead", "besides", "moreover", "furthermore", "for", "in", "as", "if", "when",
    "after", "once", "yes", "no", "there"
))  # fmt: skip
"""First words of sentences that need what stands before them."""


_SUBORDINATE = re.compile(r"([^,;:]{12,}?),? (because|although|if|when|while) ([^,;:]{8,})\.")


def paraphrases(sample: Sample, most: int = 3) -> list[str]:
    """Up to `most` wordings of a sample's reference: those of `sample.metadata["paraphrases"]`, or light rewordings by rule."""
    reference = plain(sample.reference or "").strip()
    found = given(sample)
    if not found and words(reference):
        found = [text for text in _reworded(reference) if text != reference]
    return list(dict.fromkeys(found))[:most]


def given(sample: Sample) -> list[str]:
    """The other wordings that the data has for a sample's reference."""
    listed = sample.metadata.get("paraphrases")
    return [str(text) for text in listed if text] if isinstance(listed, list | tuple) else []


def replaced(text: str, table: dict[str, str]) -> str:
    """The text with whole phrases exchanged, a capital at the start kept.

    >>> replaced("However, it is not so.", {"however": "yet", "is not": "isn't"})
    "Yet, it isn't so."
    """
    phrases = "|".join(map(re.escape, sorted(table, key=len, reverse=True)))
    return re.sub(rf"(?<!\w)(?:{phrases})(?!\w)", lambda match: _cased(table[match[0].lower()], match[0]), text, flags=re.I)


def embedded(sentence: str) -> str:
    """A sentence as it stands after an introduction: its first letter small where the word is an ordinary one.

    >>> embedded("The river rose."), embedded("Zari is a metal.")
    ('the river rose.', 'Zari is a metal.')
    """
    first = words(sentence)[:1]
    ordinary = first and first[0] in load("general").words("function_words") and not sentence.startswith(("I ", "I'"))
    return sentence[:1].lower() + sentence[1:] if ordinary else sentence


def _reworded(reference: str) -> Iterator[str]:
    own = " ".join(map(_turned, sentences(reference))) if "\n" not in reference else reference
    own = replaced(replaced(own, _SYNONYMS), _CONTRACTIONS)
    yield own
    yield _shortened(own)
    yield _reordered(reference)
    yield f"In short, {embedded(own)}"
    yield f"The answer is as follows. {reference}"


def _turned(sentence: str) -> str:
    """A sentence with its subordinate clause first instead of last: `A because B.` as `Because B, A.`"""
    found = _SUBORDINATE.fullmatch(sentence)
    if found is None or words(sentence)[0] in _LEANING:
        return sentence
    main, link, clause = found.groups()
    return f"{link.capitalize()} {clause}, {embedded(main)}."


def _shortened(text: str) -> str:
    """A paragraph of four sentences or more without the last of them; the rest stays true."""
    told = sentences(text)
    return " ".join(told[: -(len(told) // 4)]) if len(told) >= 4 and "\n" not in text else text


def _reordered(reference: str) -> str:
    """The last two sentences exchanged, where neither leans on another and the text is one paragraph."""
    told = sentences(reference)
    if len(told) < 3 or "\n" in reference or any(words(sentence)[0] in _LEANING for sentence in told[-2:]):
        return reference
    return " ".join([*told[:-2], told[-1], told[-2]])


def _cased(instead: str, found: str) -> str:
    return instead[:1].upper() + instead[1:] if found[:1].isupper() else instead
