"""Parsed texts as sentences: which of them are well formed, what they ask, and the content words they hold.

Part-of-speech tags are the universal ones; dependency labels may be those of Universal Dependencies or ClearNLP.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from trivium.scores.ask import Parse, Syntax, Token
from trivium.scores.lexicon import Lexicon
from trivium.scores.words import plain, ramp, sentences, spread, stem, windows

_WINDOW, _WINDOWS = 120, 6
"""Words of a text that are parsed at once, and how many such windows are, evenly over the whole."""

_SUBJECTS = frozenset(("nsubj", "nsubjpass", "nsubj:pass", "csubj", "csubjpass", "csubj:pass", "expl", "sb"))
_CONTENT = frozenset(("NOUN", "PROPN", "VERB", "ADJ", "ADV", "NUM"))
_FUNCTION = frozenset(("ADP", "AUX", "CCONJ", "DET", "PART", "PRON", "SCONJ"))
_NOMINAL = frozenset(
    ("dobj", "obj", "iobj", "pobj", "poss", "nmod:poss", "compound", "nsubj", "nsubjpass", "nsubj:pass", "attr")
)
_NOT_AFTER = {
    "DET": frozenset(("ADP", "AUX", "CCONJ", "DET", "PART", "PRON", "SCONJ", "VERB")),
    "ADP": frozenset(("AUX", "CCONJ", "VERB")),
    "ADJ": frozenset(("ADV", "DET", "PRON", "VERB")),
    "NOUN": frozenset(("DET",)),
    "PROPN": frozenset(("DET",)),
    "CCONJ": frozenset(("CCONJ", "SCONJ")),
    "SCONJ": frozenset(("CCONJ", "AUX")),
    "AUX": frozenset(("CCONJ",)),
}
"""What does not follow these words in a sentence of English, or of a language of its order."""
_FITTING = ("of", "ing", "ed", "en")
"""Endings of words that may follow after all: `all of`, `the melting`."""
_LONG_RUN = 4
"""Content words on end, from which a sentence reads as a list of words."""
_LONGEST = 60
"""Words in a sentence, from which it reads as one that does not end."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A parsed sentence; `quality` is from 0 (a heap of words) to 1 (a well-formed clause)."""

    tokens: tuple[Token, ...]
    quality: float
    asks: bool

    @property
    def words(self) -> list[Token]:
        """The tokens that are no punctuation."""
        return [token for token in self.tokens if _is_word(token)]

    def concepts(self, lexicon: Lexicon) -> set[str]:
        """The stems of its content words that belong to a subject rather than to any."""
        return concepts(self.tokens, lexicon)


def concepts(tokens: Iterable[Token], lexicon: Lexicon) -> set[str]:
    """The stems of the content words among some tokens, without those that fit any subject."""
    idle = lexicon.idle
    kept = (token for token in tokens if token.pos in _CONTENT and not {token.text.lower(), token.lemma.lower()} & idle)
    return {stem(token.text.lower()) for token in kept}


def parses(text: str) -> list[Parse]:
    """The questions to ask about a text of any length, the same ones for every score."""
    return [Parse(window) for window in spread(windows(sentences(plain(text)), _WINDOW), _WINDOWS)]


def read(parsed: Iterable[Syntax]) -> list[Sentence]:
    """The sentences of the parsed windows of a text, in order; those without a word are left out."""
    return [sentence for syntax in parsed for sentence in _sentences(syntax)]


@lru_cache(1024)
def _sentences(syntax: Syntax) -> tuple[Sentence, ...]:
    """Several scores read the same parsed window."""
    spans = (syntax.tokens[start:end] for start, end in syntax.sentences)
    return tuple(Sentence(span, quality(span), _asks(span)) for span in spans if any(map(_is_word, span)))


def quality(tokens: tuple[Token, ...]) -> float:
    """How well formed a sentence is: a clause, function words between its content words in a possible order, and an end."""
    words = [token for token in tokens if _is_word(token)]
    share = sum(token.pos in _FUNCTION for token in words) / len(words)
    mixed = ramp(share, 0.05, 0.25) * (1 - ramp(share, 0.75, 0.95)) if len(words) > _LONG_RUN else 1.0
    ended = 1.0 if tokens[-1].pos == "PUNCT" and not tokens[-1].text.startswith((",", ";", "-", "–")) else 0.7
    brief = 1 - 0.5 * ramp(len(words), _LONGEST, 2 * _LONGEST)
    return _clause(words) * mixed * ended * brief * (1 - ramp(disorder(tokens), 0.04, 0.2))


def disorder(tokens: tuple[Token, ...]) -> float:
    """The share of words that stand where they cannot, or in a long run of content words."""
    words = [token for token in tokens if _is_word(token)]
    if len(words) < 2:
        return 0.0
    odd = sum(_odd(token, after) for token, after in zip(tokens, (*tokens[1:], None), strict=True))
    return (odd + _in_runs(tokens)) / len(words)


def _clause(words: list[Token]) -> float:
    """1 for a subject with its verb, 0.6 for a verb without one, 0.2 for neither."""
    verbal = any(token.pos in ("VERB", "AUX") for token in words)
    if verbal and any(token.dep in _SUBJECTS for token in words):
        return 1.0
    return 0.6 if verbal else 0.2


def _odd(token: Token, after: Token | None) -> bool:
    if token.pos == "VERB" and token.dep in _NOMINAL and not token.text.lower().endswith("ing"):
        return True
    if token.pos not in _NOT_AFTER or token.dep in ("prt", "compound:prt"):
        return False
    if after is None or (after.pos == "PUNCT" and after.text in ".!?"):
        return token.pos in ("DET", "CCONJ", "SCONJ")
    return after.pos in _NOT_AFTER[token.pos] and not after.text.lower().endswith(_FITTING)


def _in_runs(tokens: tuple[Token, ...]) -> int:
    total = run = 0
    for token in (*tokens, None):
        if token is not None and token.pos in ("NOUN", "VERB", "ADJ", "ADV", "X"):
            run += 1
            continue
        total += run if run > _LONG_RUN else 0
        run = 0
    return total


def _is_word(token: Token) -> bool:
    return token.pos not in ("PUNCT", "SPACE", "SYM") and any(map(str.isalnum, token.text))


def _asks(tokens: tuple[Token, ...]) -> bool:
    return any(token.text in "?？" for token in tokens[-3:])
