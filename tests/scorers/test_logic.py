import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.data.logic_world import PROPERTIES, Claim
from trivium.scorers.tiny import logic
from trivium.scorers.tiny.filler import soup
from trivium.scorers.tiny.pairs import pairs

HEAT, LIGHT = PROPERTIES[0], PROPERTIES[1]
METAL, NO_METAL, WAX = Claim("Zari", kind="metal"), Claim("Zari", kind="metal", holds=False), Claim("Zari", kind="wax")
RULE = Claim("metal", property=HEAT, rule=True)
CARRIES, BLOCKS = Claim("Zari", property=HEAT), Claim("Zari", property=LIGHT)


@pytest.mark.parametrize(
    ("facts", "hypothesis", "label"),
    [
        ([METAL], METAL, "entailment"),
        ([METAL], NO_METAL, "contradiction"),
        ([METAL], WAX, "contradiction"),
        ([METAL], WAX.negated(), "entailment"),
        ([NO_METAL], WAX, "neutral"),
        ([METAL], CARRIES, "neutral"),
        ([METAL, RULE], CARRIES, "entailment"),
        ([METAL, RULE], CARRIES.negated(), "contradiction"),
        ([METAL, RULE], BLOCKS, "neutral"),
        ([WAX, RULE], CARRIES, "neutral"),
        ([CARRIES.negated(), RULE], METAL, "contradiction"),
        ([METAL, CARRIES], RULE, "neutral"),
        ([METAL, CARRIES.negated()], RULE, "contradiction"),
        ([RULE], RULE.negated(), "contradiction"),
        ([], METAL, "neutral"),
    ],
)
def test_what_follows(facts: list[Claim], hypothesis: Claim, label: str) -> None:
    assert logic.LABELS[logic.verdict(facts, hypothesis)] == label


def test_several_claims_follow_only_together() -> None:
    assert logic.verdict_of_all([METAL, RULE], [METAL, CARRIES]) == logic.ENTAILMENT
    assert logic.verdict_of_all([METAL, RULE], [METAL, BLOCKS]) == logic.NEUTRAL
    assert logic.verdict_of_all([METAL, RULE], [BLOCKS, CARRIES.negated()]) == logic.CONTRADICTION


@given(st.integers(0, 10_000))
def test_a_deduction_holds_together(seed: int) -> None:
    found = logic.deduction(random.Random(seed))
    facts = [found.member, found.rule]
    assert logic.consistent(frozenset((*facts, found.conclusion)))
    assert logic.verdict(facts, found.conclusion) == logic.ENTAILMENT


@given(st.integers(0, 10_000))
def test_soup_has_the_same_words_in_another_order(seed: int) -> None:
    rng = random.Random(seed)
    told = logic.compound(logic.deduction(rng), rng)
    words = told.lower().replace(",", "").replace(".", "").split()
    mixed = soup(told, rng).rstrip(".").split()
    assert sorted(mixed) == sorted(words) and mixed != words


def test_pairs_have_all_labels_and_the_held_out_ones_are_never_taught() -> None:
    taught, held_out = pairs(3000, random.Random(0)), pairs(3000, random.Random(0), held_out=True)
    assert min(Counter(pair.label for pair in taught).values()) > 500
    assert taught[:50] == pairs(3000, random.Random(0))[:50]
    assert not {(p.premise, p.hypothesis) for p in taught if len(p.premise) > 60} & {
        (p.premise, p.hypothesis) for p in held_out
    }
