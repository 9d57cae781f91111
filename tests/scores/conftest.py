"""Answers made by hand, so that scores that ask models can be tested without one."""

import inspect
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from trivium.sample import Sample
from trivium.scores.ask import Embed, Entail, Entailment, Parse, Question, Score, Syntax, Token, settle
from trivium.scores.completion import split
from trivium.scores.lexicon import load
from trivium.scores.support import polar
from trivium.scores.words import stem, words

POS = {
    "DET": "a an the every this no each",
    "AUX": "is are was does do did has can may",
    "ADP": "of in by to from at with into",
    "CCONJ": "and or but",
    "SCONJ": "because so if since therefore",
    "PRON": "it they what which who i you that there everything",
    "PART": "not",
    "VERB": "carries carry move moves melts melt plays explains softens conducts warms pass contribute depends knows sleep",
    "ADV": "always never well freely easily why how",
    "ADJ": "important free hot blue modern many various green",
}
TAGS = {word: tag for tag, listed in POS.items() for word in listed.split()}


def tagged(text: str) -> Syntax:
    """Every word by its one part of speech (nouns otherwise); a noun or pronoun before a verb is its subject."""
    tokens: list[Token] = []
    spans: list[tuple[int, int]] = []
    start = 0
    pieces = re.findall(r"[\w'-]+|[^\w\s]", text)
    for i, piece in enumerate(pieces):
        pos = "PUNCT" if not piece[0].isalnum() else TAGS.get(piece.lower(), "NOUN")
        after = [TAGS.get(word.lower()) for word in pieces[i + 1 : i + 3]]
        dep = "nsubj" if pos in ("NOUN", "PRON") and {"VERB", "AUX"} & set(after) else "dep"
        tokens.append(Token(piece, piece.lower(), pos, dep, i))
        if piece in ".?!" or i == len(pieces) - 1:
            spans.append((start, i + 1))
            start = i + 1
    return Syntax(tuple(tokens), tuple(spans), (), ())


def entailed(premise: str, hypothesis: str) -> Entailment:
    """By content words and whether they are denied."""
    known = load("general")
    given, said = set(polar(premise, known)), set(polar(hypothesis, known))
    if said and said <= given:
        return Entailment(0.98, 0.01, 0.01)
    if said and {word for word, _ in said} <= {word for word, _ in given}:
        return Entailment(0.01, 0.03, 0.96)
    return Entailment(0.02, 0.95, 0.03)


def embedded(text: str) -> np.ndarray:
    """The text's stems, hashed to 256 places."""
    vector = np.zeros(256, np.float32)
    for word in words(text):
        vector[sum(ord(c) * 31**i for i, c in enumerate(stem(word))) % 256] += 1
    return vector / max(1e-9, float(np.linalg.norm(vector)))


def respond(question: Question) -> Any:
    match question:
        case Entail(premise, hypothesis):
            return entailed(premise, hypothesis)
        case Embed(text):
            text.encode()
            return embedded(text)
        case Parse(text):
            text.encode()
            return tagged(text)


def _score(score: Score, text: str, reference: str | None = None, question: str = "", **options: Any) -> float | None:
    metadata = options.pop("metadata", {})
    turns = [{"role": "user", "content": question}]
    turns += [] if reference is None else [{"role": "assistant", "content": reference}]
    value = score(split(text), Sample(id="1", messages=turns, metadata=metadata), **options)
    return settle(value, respond) if inspect.isgenerator(value) else value


@pytest.fixture(scope="session")
def score() -> Callable[..., float | None]:
    """Score a text: `score(function, text, reference, question, metadata=…, **options)`."""
    return _score


QUESTION = "Why does copper carry heat?"
GOLD = "Copper carries heat well because the electrons of copper move freely. The electrons pass energy to atoms."
PARAPHRASE = "The electrons of copper move freely, and the electrons pass energy to atoms, so copper carries heat."
BOILERPLATE = (
    "It is important to note that this topic plays a crucial role in many aspects of the modern world. "
    "Therefore various factors contribute to a deeper understanding because everything depends."
)
ATTACKS = {
    "soup": "copper heat electrons energy atoms carries move copper heat pass electrons atoms",
    "shuffled": "electrons because the copper to heat of pass well the atoms freely carries move energy copper electrons the",
    "boilerplate": BOILERPLATE,
    "canned": "That is not true. I stand by my answer. The claim is false. I reject it.",
    "echo": QUESTION,
    "denied": GOLD.replace("carries", "does not carry").replace("pass", "do not pass"),
    "tail": f"{GOLD} flim the of blorb zxq window table green idea the of at sleep furious. {'banana window lamp ' * 12}",
    "thrice": " ".join([GOLD] * 3),
    "off topic": "The wax softens in the sun. The candle melts because the sun warms it.",
    "hedge": "Perhaps. It may be so, I am not sure.",
    "other script": "金属可以导热,因为电子可以自由移动。",
}


@pytest.fixture(scope="session")
def against_attacks() -> Callable[..., dict[str, float | None]]:
    """What a score gives the reference (`gold`), a paraphrase, and each attack, all to one question."""

    def scores(function: Score, **options: Any) -> dict[str, float | None]:
        give = partial(_score, function, reference=GOLD, question=QUESTION, **options)
        return {name: give(text) for name, text in {"gold": GOLD, "paraphrase": PARAPHRASE, **ATTACKS}.items()}

    return scores
