"""Pairs of a premise and a hypothesis from the small world, with the label that their logic gives them."""

import random
from collections.abc import Callable
from typing import NamedTuple

from trivium.data.logic_world import KINDS, NAMES, PROPERTIES, Claim, Deduction
from trivium.scorers.tiny import logic
from trivium.scorers.tiny.filler import filler, pieces, soup

_CLAIM_WORDS = 8
"""A longer text may hold a whole claim in each of its halves."""


class Pair(NamedTuple):
    """What is given, what is asked of it, and the label: 0 contradiction, 1 neutral, 2 entailment."""

    premise: str
    hypothesis: str
    label: int


def pairs(count: int, rng: random.Random, *, held_out: bool = False, plain: float = 0.0) -> list[Pair]:
    """Pairs of every sort; `plain` is the share of those that hold no more than a claim on each side."""
    return [_plain(rng, held_out) if rng.random() < plain else _pair(rng, held_out) for _ in range(count)]


def _plain(rng: random.Random, held_out: bool) -> Pair:
    """One claim against another."""
    claim = rng.choice(_claims(logic.deduction(rng, held_out)))
    asked = _varied(claim, rng)
    if rng.random() < 0.15:
        return Pair(logic.told(claim, rng), soup(logic.wording(claim, rng), rng), logic.NEUTRAL)
    return Pair(logic.told(claim, rng), logic.told(asked, rng), logic.verdict([claim], asked))


def _pair(rng: random.Random, held_out: bool) -> Pair:
    kinds: tuple[tuple[float, Callable[[random.Random, bool], Pair]], ...] = (
        (0.42, _about_a_claim),
        (0.25, _about_a_compound),
        (0.18, _about_noise),
        (0.15, _in_noise),
    )
    return rng.choices([make for _, make in kinds], [share for share, _ in kinds])[0](rng, held_out)


def _about_a_claim(rng: random.Random, held_out: bool) -> Pair:
    found = logic.deduction(rng, held_out)
    premise, facts = _premise(found, rng)
    asked = _varied(rng.choice(facts if rng.random() < 0.8 else _claims(found)), rng)
    premise, facts = _with_more(premise, facts, rng)
    return Pair(premise, logic.told(asked, rng), logic.verdict(facts, asked))


def _about_a_compound(rng: random.Random, held_out: bool) -> Pair:
    found = logic.deduction(rng, held_out)
    premise, facts = _premise(found, rng)
    asked = found if rng.random() < 0.4 else _varied_deduction(found, rng)
    premise, facts = _with_more(premise, facts, rng)
    if rng.random() < 0.3:
        return Pair(premise, logic.reason(asked, rng), logic.verdict_of_all(facts, [asked.member, asked.rule]))
    return Pair(premise, logic.compound(asked, rng), logic.verdict_of_all(facts, _claims(asked)))


def _about_noise(rng: random.Random, held_out: bool) -> Pair:
    """What states nothing does not follow, whatever words it has."""
    found = logic.deduction(rng, held_out)
    premise, facts = _premise(found, rng)
    spoken = logic.wording(rng.choice(facts), rng) if rng.random() < 0.7 else logic.compound(found, rng)
    premise, _ = _with_more(premise, facts, rng)
    return Pair(premise, _noise(spoken, found, rng), logic.NEUTRAL)


def _in_noise(rng: random.Random, held_out: bool) -> Pair:
    """Nothing follows from what states nothing."""
    found = logic.deduction(rng, held_out)
    asked = rng.choice(_claims(found))
    told = logic.told(asked, rng) if rng.random() < 0.6 else logic.compound(found, rng)
    spoken = logic.wording(asked, rng) if rng.random() < 0.6 else logic.compound(found, rng)
    return Pair(" ".join(_noise(spoken, found, rng) for _ in range(rng.choice((1, 1, 2)))), told, logic.NEUTRAL)


def _claims(found: Deduction) -> list[Claim]:
    return [found.conclusion, found.member, found.rule]


def _premise(found: Deduction, rng: random.Random) -> tuple[str, list[Claim]]:
    """A text about a deduction, and the claims that it states."""
    form = rng.random()
    if form < 0.35:
        return logic.compound(found, rng), _claims(found)
    if form < 0.5:
        return logic.reason(found, rng), [found.member, found.rule]
    facts = rng.sample(_claims(found), rng.choice((1, 1, 2, 3)))
    return " ".join(logic.told(claim, rng) for claim in facts), facts


def _with_more(premise: str, facts: list[Claim], rng: random.Random) -> tuple[str, list[Claim]]:
    """The premise among other sentences: claims that do not contradict it, questions, filler, fragments."""
    around: list[str] = []
    for _ in range(rng.choice((0, 0, 0, 0, 1, 1, 2))):
        other = _varied(rng.choice(facts), rng) if rng.random() < 0.5 else rng.choice(_claims(logic.deduction(rng)))
        if rng.random() < 0.5 and logic.consistent(frozenset((*facts, other))):
            facts = [*facts, other]
            around.append(logic.told(other, rng))
        else:
            around.append(_noise(logic.wording(rng.choice(facts), rng), logic.deduction(rng), rng))
    cut = rng.randint(0, len(around))
    return " ".join([*around[:cut], premise, *around[cut:]]), facts


def _varied(claim: Claim, rng: random.Random) -> Claim:
    """The claim itself, its negation, or one that differs in a name, a kind or a property, denied or not."""
    form = rng.random()
    if form < 0.4:
        return claim
    if form < 0.65:
        return claim.negated()
    subject, kind, what = claim.subject, claim.kind, claim.property
    if kind is not None and rng.random() < 0.6:
        kind = rng.choice(KINDS)
    elif what is not None and rng.random() < 0.5:
        what = rng.choice(PROPERTIES)
    else:
        subject = rng.choice(KINDS if claim.rule else NAMES)
    holds = claim.holds if rng.random() < 0.75 else not claim.holds
    return Claim(subject, kind, what, claim.rule, holds)


def _varied_deduction(found: Deduction, rng: random.Random) -> Deduction:
    """A deduction that differs in one of its parts, and is whole in itself."""
    form = rng.random()
    if form < 0.5:
        return Deduction(found.member, found.rule.negated())
    name, kind, what = found.member.subject, found.rule.subject, found.rule.property
    if form < 0.65:
        name = rng.choice(NAMES)
    elif form < 0.85:
        kind = rng.choice(KINDS)
    else:
        what = rng.choice(PROPERTIES)
    return Deduction(Claim(name, kind=kind), Claim(kind, property=what, rule=True, holds=found.rule.holds))


def _noise(spoken: str, found: Deduction, rng: random.Random) -> str:
    """Words that state nothing, made of what is `spoken` or of none of it."""
    form = rng.random()
    if form < 0.6:
        return pieces(spoken, rng) if form < 0.2 and len(spoken.split()) <= _CLAIM_WORDS else soup(spoken, rng)
    return found.question if form < 0.75 else filler(rng)
