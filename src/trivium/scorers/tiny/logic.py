"""What follows from claims of the small world, and claims told in many wordings: the material of the tiny scorers' lessons."""

import random
from collections.abc import Iterable

from trivium.data.logic_world import KINDS, NAMES, PROPERTIES, Claim, Deduction, Property, sentence

CONTRADICTION, NEUTRAL, ENTAILMENT = 0, 1, 2
LABELS = ("contradiction", "neutral", "entailment")

_COMPOUNDS = (
    "{yes}, {c}, because {m} and {r}.",
    "{yes}, {c}, because {m} and {r}.",
    "{c}, because {m} and {r}.",
    "{m} and {r}, so {c}.",
    "since {m} and {r}, {c}.",
    "{m}. {r}. So {c}.",
    "{m}. {r}. {yes}, {c}.",
    "{c}. The reason is that {m}, and {r}.",
    "{r}, and {m}. Therefore {c}.",
)
_PREMISES = ("{m} and {r}.", "{m}. {r}.", "the reason is that {m}, and {r}.", "{r}, and {m}.")
_SINGLE = ("{c}.",) * 5 + ("so {c}.", "{yes}, {c}.", "therefore {c}.", "it is true that {c}.", "{c}")


def deduction(rng: random.Random, held_out: bool | None = False) -> Deduction:
    """A random deduction: one that training never shows (True), one that it may show (False), or any (None)."""
    while True:
        name, kind, what = rng.choice(NAMES), rng.choice(KINDS), rng.choice(PROPERTIES)
        if held_out is None or is_held_out(name, kind, what) is held_out:
            return Deduction(Claim(name, kind=kind), Claim(kind, property=what, rule=True, holds=rng.random() < 0.5))


def is_held_out(name: str, kind: str, what: Property) -> bool:
    """Whether a combination is among the tenth that training never shows."""
    return (NAMES.index(name) + KINDS.index(kind) + PROPERTIES.index(what)) % 10 == 0


def verdict(facts: Iterable[Claim], hypothesis: Claim) -> int:
    """Label of a claim under some facts that do not contradict each other: what their logic says.

    A substance is of one kind only, and what is always or never so of a kind is so of each of its members. Rules themselves do
    not follow from single cases.
    """
    known = frozenset(facts)
    if hypothesis in known:
        return ENTAILMENT
    if not consistent(known | {hypothesis}):
        return CONTRADICTION
    follows = not hypothesis.rule and not consistent(known | {hypothesis.negated()})
    return ENTAILMENT if follows else NEUTRAL


def verdict_of_all(facts: Iterable[Claim], hypotheses: Iterable[Claim]) -> int:
    """Label of several claims said together: each must follow, and none may be contradicted."""
    return min((verdict(facts, claim) for claim in hypotheses), default=NEUTRAL)


def consistent(facts: frozenset[Claim]) -> bool:
    """Whether nothing among the claims, or following from them, is denied by another."""
    rules = [claim for claim in facts if claim.rule]
    members = [claim for claim in facts if claim.kind is not None and claim.holds]
    if len({claim.subject for claim in members}) < len(members):
        return False
    derived = {Deduction(m, r).conclusion for m in members for r in rules if m.kind == r.subject}
    everything = facts | derived
    return not any(claim.negated() in everything for claim in everything)


def wording(claim: Claim, rng: random.Random) -> str:
    """A claim in one of its wordings, the plain one more often."""
    return claim.text() if rng.random() < 0.6 else claim.other_text()


def told(claim: Claim, rng: random.Random) -> str:
    """A sentence that states a claim."""
    template = rng.choice(_SINGLE)
    return _sentences(template.format(c=wording(claim, rng), yes=_yes(claim)))


def compound(found: Deduction, rng: random.Random) -> str:
    """A conclusion with its reason, in one to three sentences."""
    return _filled(rng.choice(_COMPOUNDS), found, rng)


def reason(found: Deduction, rng: random.Random) -> str:
    """The two premises of a conclusion, in one or two sentences."""
    return _filled(rng.choice(_PREMISES), found, rng)


def _filled(template: str, found: Deduction, rng: random.Random) -> str:
    parts = {key: wording(claim, rng) for key, claim in zip("cmr", (found.conclusion, found.member, found.rule), strict=True)}
    return _sentences(template.format(yes=_yes(found.conclusion), **parts))


def _yes(claim: Claim) -> str:
    return "yes" if claim.holds else "no"


def _sentences(text: str) -> str:
    ended = text.endswith(".")
    made = " ".join(sentence(part) for part in text.rstrip(".").split(". "))
    return made if ended else made[:-1]
