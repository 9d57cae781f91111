"""The small world's logic: substances belong to kinds, kinds have or lack properties, and what follows can be checked.

Every sentence is a `Claim`, which knows its negation and its wordings. From two premises ("Zari is a metal.", "A metal always
carries heat.") follows one conclusion ("Zari carries heat."). The questions of `dataset=micro_qa`, the tiny model's neutral
text and the tiny scorers' training pairs are all made of claims, so the truth of each is known.
"""

import random
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

from trivium.data.small_world import SYLLABLES

KINDS = ("metal", "wax", "salt", "resin", "clay", "glass", "fibre", "stone", "gum", "wood")

NAMES = tuple((a + b).capitalize() for a, b in product(SYLLABLES, repeat=2) if a != b)


class Property(NamedTuple):
    """What a substance does: `carries heat`, `carry heat`, and passively `heat is carried by`."""

    does: str
    do: str
    passive: str


PROPERTIES = tuple(
    Property(*words)
    for words in (
        ("carries heat", "carry heat", "heat is carried by"),
        ("blocks light", "block light", "light is blocked by"),
        ("resists acid", "resist acid", "acid is resisted by"),
        ("absorbs water", "absorb water", "water is absorbed by"),
        ("holds charge", "hold charge", "charge is held by"),
        ("dampens sound", "dampen sound", "sound is dampened by"),
        ("stains paper", "stain paper", "paper is stained by"),
        ("scratches brass", "scratch brass", "brass is scratched by"),
        ("repels dust", "repel dust", "dust is repelled by"),
        ("softens leather", "soften leather", "leather is softened by"),
    )
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence about a subject: of what kind it is, or what it does; `rule` says it of a whole kind.

    Exactly one of `kind` and `property` is set. `holds` is False in a denial.
    """

    subject: str
    kind: str | None = None
    property: Property | None = None
    rule: bool = False
    holds: bool = True

    def negated(self) -> "Claim":
        """What contradicts it."""
        return replace(self, holds=not self.holds)

    def text(self) -> str:
        """The plain wording, without a full stop.

        >>> heat = PROPERTIES[0]
        >>> Claim("metal", property=heat, rule=True).text(), Claim("Zari", property=heat, holds=False).text()
        ('a metal always carries heat', 'Zari does not carry heat')
        """
        if self.kind is not None:
            return f"{self.subject} is {'' if self.holds else 'not '}a {self.kind}"
        assert self.property is not None
        if self.rule:
            return f"a {self.subject} {'always' if self.holds else 'never'} {self.property.does}"
        return f"{self.subject} {self.property.does}" if self.holds else f"{self.subject} does not {self.property.do}"

    def other_text(self) -> str:
        """Another wording of the same.

        >>> Claim("Zari", property=PROPERTIES[0]).other_text(), Claim("Zari", kind="wax").other_text()
        ('heat is carried by Zari', 'Zari belongs to the waxes')
        """
        if self.kind is not None:
            return f"{self.subject} {'belongs' if self.holds else 'does not belong'} to the {plural(self.kind)}"
        assert self.property is not None
        if self.rule:
            return f"{'every' if self.holds else 'no'} {self.subject} {self.property.does}"
        passive = self.property.passive if self.holds else self.property.passive.replace(" is ", " is not ")
        return f"{passive} {self.subject}"


@dataclass(frozen=True, slots=True)
class Deduction:
    """Two premises and what follows from them; `asked` is the conclusion as a question would put it, unnegated."""

    member: Claim
    rule: Claim

    @property
    def conclusion(self) -> Claim:
        """What follows."""
        return Claim(self.member.subject, property=self.rule.property, holds=self.rule.holds)

    @property
    def question(self) -> str:
        """`Does Zari carry heat?`"""
        assert self.rule.property is not None
        return f"Does {self.member.subject} {self.rule.property.do}?"


@dataclass(frozen=True)
class World:
    """Which name is of which kind, and which kinds have which properties."""

    kinds: dict[str, str]
    rules: dict[tuple[str, Property], bool]

    def member(self, name: str) -> Claim:
        """`Zari is a metal`."""
        return Claim(name, kind=self.kinds[name])

    def rule(self, kind: str, what: Property) -> Claim:
        """`a metal always carries heat`."""
        return Claim(kind, property=what, rule=True, holds=self.rules[kind, what])

    def deduction(self, name: str, what: Property) -> Deduction:
        """Why a name has or lacks a property."""
        return Deduction(self.member(name), self.rule(self.kinds[name], what))


def world(seed: int, size: int) -> World:
    """A world of `size` names, as many of each kind as of any other; every kind has half of the properties."""
    rng = random.Random(f"logic {seed}")
    chosen = rng.sample(NAMES, size)
    rules = {}
    for kind in KINDS:
        having = rng.sample(PROPERTIES, len(PROPERTIES) // 2)
        rules.update({(kind, what): what in having for what in PROPERTIES})
    return World({name: KINDS[i % len(KINDS)] for i, name in enumerate(chosen)}, rules)


def plural(kind: str) -> str:
    """The kind's plural.

    >>> plural("wax"), plural("metal"), plural("glass")
    ('waxes', 'metals', 'glasses')
    """
    return f"{kind}es" if kind.endswith(("x", "s")) else f"{kind}s"


def sentence(text: str) -> str:
    """A claim's text with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."
