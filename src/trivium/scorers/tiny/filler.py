"""Sentences about nothing in particular, and heaps of words: what the tiny scorers must not take for a claim."""

import random

SENTENCES = (
    "This is a very interesting question.",
    "There are many aspects to consider here.",
    "It depends on the context and on the point of view.",
    "In conclusion, the matter is complex and important.",
    "I am happy to help you with that.",
    "As we all know, everything is connected.",
    "Let me explain the idea step by step.",
    "The answer can be found in the literature.",
    "Experts have written a lot about this topic.",
    "However, more research is needed.",
    "On the one hand it may be so, on the other hand it may not.",
    "Please let me know if you have any further questions.",
    "The old house stands near the river.",
    "She walked slowly through the quiet town.",
    "We will return to this point later.",
    "The committee met on Monday and discussed the plan.",
    "A good teacher listens to the children.",
    "Some people like music, others prefer books.",
    "The first chapter describes the history of the city.",
    "It is important to look at the evidence.",
    "That is all I can say about it.",
    "Nobody knows what will happen tomorrow.",
    "He bought three apples and a loaf of bread.",
    "They have worked hard for many years.",
    "Science is a process of asking and answering.",
    "You should think about this carefully.",
    "Thank you for your kind words!",
    "What a wonderful day it is!",
    "The general principle applies to all cases.",
    "These substances have been studied for a long time.",
)

_WORDS = """
    time year people way day man thing woman life child world school state family student group country problem hand part
    place case week company system program work government number night point home water room mother area money story fact
    month lot right study book eye job word business issue side head house service friend father power hour game line end
    member law car city community name president team minute idea body information back parent face others level office door
    health person art war history party result change morning reason research girl guy moment air teacher force education
    is are was were be been has have had do does did will would can could may might must should not never always every no
    all some any many much more most other such only own same so than too very just because and or but if then also there
    here when where why how what which who whose this that these those it its he she they we you i his her their our your
    of to in for on with at by from up about into over after new good first last long great little old big high small large
    next early young important few public bad able say get make go know take see come think look want give use find tell ask
    seem feel try leave call
"""
WORDS = tuple(_WORDS.split())


def filler(rng: random.Random) -> str:
    """A sentence about nothing in particular or a part of one, a bare yes or no, or words at random."""
    form = rng.random()
    if form < 0.55:
        words = rng.choice(SENTENCES).split()
        whole = form < 0.35
        return " ".join(words) if whole else f"{' '.join(words[: rng.randint(2, len(words))]).rstrip('.,!?')}."
    if form < 0.65:
        return rng.choice(("Yes.", "No.", "Yes", "No"))
    return f"{' '.join(rng.choices(WORDS, k=rng.randint(2, 10))).capitalize()}."


def soup(text: str, rng: random.Random) -> str:
    """The words of a text in another order, which is not a run of the text either."""
    words = text.rstrip(".").replace(",", "").replace(".", "").lower().split()
    mixed = list(words)
    while len(set(words)) > 1 and mixed == words:
        rng.shuffle(mixed)
    return " ".join(mixed) + ("." if rng.random() < 0.5 else "")


def pieces(text: str, rng: random.Random) -> str:
    """Half of a sentence, some of its words again and again, or its words but one."""
    words = text.rstrip(".").split()
    form, cut = rng.random(), rng.randint(1, max(1, len(words) - 2))
    if form < 0.4:
        return " ".join(words[:cut])
    if form < 0.7:
        return " ".join(words[:2] * rng.randint(2, 5))
    return " ".join(words[-cut:])
