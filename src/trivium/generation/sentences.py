"""Sentences of a passage that tell something, and what they are about."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from trivium.scores.lexicon import Lexicon, load
from trivium.scores.words import sentences, words


@cache
def lexicon() -> Lexicon:
    """Words about the making of conversations, and the general ones."""
    return load(str(Path(__file__).with_name("lexicon.yaml")))


_SPOKEN = re.compile(r"[\"“”«»]|(?:^|\s)['‘]|['’](?:\s|$)")
_NAME = r"[A-Z][\w'’-]*\w(?: (?:of |the |de |von )?[A-Z][\w'’-]*\w)*"
_OF = re.compile(rf"\b(?:[Tt]he|[Aa]n?) ((?:[a-z-]+ ){{1,2}}of (?:the )?{_NAME})")
_NAMED = re.compile(rf"(?<=[a-z,;] )(?!I\b){_NAME}")
_QUOTED = re.compile(r"[\"“][^\"“”]*(?:[\"”]|$)")
_ENDS = re.compile(r"[.!?…]|[^\"”]$")
"""In quotation marks: a sentence that ends, or one that is not closed."""
_PARAGRAPH = re.compile(r"\n\s*\n")
_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*")
_TITLES = ("Mr", "Mrs", "Dr", "St", "Messrs", "Mlle", "Mme")
_VERBAL = ("ly", "ing", "ed", "est", "ous", "ful", "ive")
"""Endings of words that are seldom nouns."""


def informative(text: str, most: int) -> list[str]:
    """The sentences that can stand alone, in their order: whole, of 5 to 45 words and at most `most` characters, not spoken by
    somebody, no headings, not leaning on another sentence. Where nothing is narrated, sentences within a speech are taken.
    """
    paragraphs = [" ".join(paragraph.split()) for paragraph in _PARAGRAPH.split(text)]
    return _alone(map(_narrated, paragraphs), most) or _alone(map(sentences, paragraphs), most)


def _alone(paragraphs: Iterable[Sequence[str]], most: int) -> list[str]:
    found = (sentence for paragraph in paragraphs for sentence in paragraph)
    return list(dict.fromkeys(sentence for sentence in found if len(sentence) <= most and _stands_alone(sentence)))


def _narrated(paragraph: str) -> tuple[str, ...]:
    """The sentences of a paragraph, those within double quotation marks left out.

    >>> _narrated('He rose. "Go now. The boat waits." The tide turned.')
    ('He rose.', 'The tide turned.')
    """
    return sentences(_QUOTED.sub(lambda said: '"."' if _ENDS.search(said[0]) else said[0], paragraph))


def _stands_alone(sentence: str) -> bool:
    spoken = words(sentence)
    whole = sentence[0].isupper() and sentence[-1] in ".!" and not sentence.endswith("..")
    if not (whole and 5 <= len(spoken) <= 45) or _SPOKEN.search(sentence):
        return False
    if spoken[0] in lexicon().words("leaning") or sentence.count("(") != sentence.count(")") or set("[]{}_*|") & set(sentence):
        return False
    shouted = sum(word.isupper() and len(word) > 1 for word in _WORD.findall(sentence))
    return shouted * 4 < len(spoken) and not lexicon().words("function_words").isdisjoint(spoken)


def topic(sentence: str) -> str | None:
    """What a sentence is about: `the … of Name`, a name, or the longest noun that an article shows; None where none is found.

    >>> topic("The mole of Torvik was built in stone.")
    'the mole of Torvik'
    >>> topic("In winter the fishermen of the bay mend nets.")
    'the fishermen'
    """
    if found := _OF.search(sentence):
        return f"the {found[1]}"
    if named := [match[0] for match in _NAMED.finditer(sentence) if match[0] not in _TITLES]:
        return max(named, key=len)
    nouns = _nouns(sentence)
    return f"the {max(nouns, key=len)}" if nouns else None


def thing(sentence: str) -> str | None:
    """The noun of which a sentence tells first, without its article; None where no article shows one.

    >>> thing("A gale from the south keeps Teloth in harbour."), thing("Torvik sleeps.")
    ('gale', None)
    """
    return next(iter(_nouns(sentence)), None)


def _nouns(sentence: str) -> list[str]:
    """Words that follow an article and end what they name, in lower case; where there is none, such pairs of words.

    >>> _nouns("The grave man saw a sail."), _nouns("The white children could run.")
    (['sail'], ['white children'])
    """
    tokens = [*re.findall(r"[\w'’-]+|[^\w\s]", sentence), ".", "."]
    articles = lexicon().words("articles")
    after = [i for i, token in enumerate(tokens[:-3], 1) if token.lower() in articles]
    single = [tokens[i] for i in after if _content(tokens[i]) and _ends(tokens[i + 1])]
    pairs = [f"{tokens[i]} {tokens[i + 1]}" for i in after if all(map(_content, tokens[i : i + 2])) and _ends(tokens[i + 2])]
    return single or pairs


def _content(token: str) -> bool:
    lower = token.lower()
    return len(token) > 2 and token == lower and token.isalpha() and token not in lexicon().idle and not token.endswith(_VERBAL)


def _ends(token: str) -> bool:
    """Whether a token shows that the words before it are a whole: a mark, or a function word that joins nothing to them."""
    return not token[0].isalnum() or (token in lexicon().words("function_words") and token not in ("and", "or"))


def clause(sentence: str) -> str:
    """A sentence as it may follow `that`: without its mark, and without its capital where the first word is no name.

    >>> clause("The tide turned at noon."), clause("Torvik sleeps.")
    ('the tide turned at noon', 'Torvik sleeps')
    """
    first = sentence.split(" ", 1)[0]
    known = lexicon().words("function_words")
    bare = sentence.rstrip(".!… ")
    return bare[0].lower() + bare[1:] if first.lower() in known and first != "I" else bare
