"""Claims know their negation and their wordings; what follows from two of them is right by construction."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.data.logic_world import KINDS, NAMES, PROPERTIES, Claim, plural, sentence, world

KIND = st.sampled_from(KINDS)
PROPERTY = st.sampled_from(PROPERTIES)
CLAIMS = st.one_of(
    st.builds(lambda name, kind, holds: Claim(name, kind=kind, holds=holds), st.sampled_from(NAMES), KIND, st.booleans()),
    st.builds(
        lambda name, what, holds: Claim(name, property=what, holds=holds), st.sampled_from(NAMES), PROPERTY, st.booleans()
    ),
    st.builds(lambda kind, what, holds: Claim(kind, property=what, rule=True, holds=holds), KIND, PROPERTY, st.booleans()),
)


@given(CLAIMS)
def test_a_negation_is_another_sentence_and_its_own_inverse(claim: Claim) -> None:
    assert claim.negated().negated() == claim
    assert len({claim.text(), claim.negated().text(), claim.other_text(), claim.negated().other_text()}) == 4


@given(CLAIMS, CLAIMS)
def test_no_two_claims_have_a_wording_in_common(one: Claim, other: Claim) -> None:
    if one != other:
        assert not {one.text(), one.other_text()} & {other.text(), other.other_text()}


@pytest.mark.parametrize(
    ("claim", "texts"),
    [
        (Claim("Zari", kind="glass"), ("Zari is a glass", "Zari belongs to the glasses")),
        (Claim("Zari", kind="clay", holds=False), ("Zari is not a clay", "Zari does not belong to the clays")),
        (
            Claim("wax", property=PROPERTIES[3], rule=True, holds=False),
            ("a wax never absorbs water", "no wax absorbs water"),
        ),
        (
            Claim("Zari", property=PROPERTIES[7], holds=False),
            ("Zari does not scratch brass", "brass is not scratched by Zari"),
        ),
    ],
)
def test_wordings(claim: Claim, texts: tuple[str, str]) -> None:
    assert (claim.text(), claim.other_text()) == texts
    assert sentence(claim.text()).endswith(".") and sentence(claim.text())[0].isupper()


def test_verbs_agree_with_each_other() -> None:
    assert len({word for what in PROPERTIES for word in what}) == 3 * len(PROPERTIES)
    for what in PROPERTIES:
        verb, thing = what.do.split()
        singular, same = what.does.split()
        assert thing == same and singular in (f"{verb}s", f"{verb}es", f"{verb[:-1]}ies")
        assert what.passive.startswith(f"{thing} is ") and what.passive.endswith(" by")


@given(st.integers(0, 10_000), st.integers(10, len(NAMES)))
def test_a_world_is_balanced_and_decided_by_its_seed(seed: int, size: int) -> None:
    known = world(seed, size)
    assert known == world(seed, size)
    assert len(known.kinds) == size
    counts = Counter(known.kinds.values())
    assert set(counts) == set(KINDS) and max(counts.values()) - min(counts.values()) <= 1
    for kind in KINDS:
        assert sum(known.rules[kind, what] for what in PROPERTIES) == len(PROPERTIES) // 2


def test_other_seeds_make_other_worlds() -> None:
    assert all(a != b for a, b in combinations([world(seed, 40) for seed in range(5)], 2))


@given(st.integers(0, 100), PROPERTY)
def test_a_conclusion_holds_exactly_where_the_rule_of_its_kind_does(seed: int, what: object) -> None:
    known = world(seed, 10)
    for name, kind in known.kinds.items():
        found = known.deduction(name, what)  # type: ignore[arg-type]
        assert found.member == Claim(name, kind=kind)
        assert found.rule.subject == kind and found.rule.rule
        assert found.conclusion == Claim(name, property=what, holds=known.rules[kind, what])  # type: ignore[arg-type,index]
        assert found.question == f"Does {name} {what.do}?"  # type: ignore[attr-defined]


def test_there_are_as_many_names_as_a_world_may_have() -> None:
    assert len(set(NAMES)) == len(NAMES) >= 240
    assert not set(map(str.lower, NAMES)) & set(KINDS)


def test_plurals() -> None:
    assert [plural(kind) for kind in ("wax", "glass", "fibre")] == ["waxes", "glasses", "fibres"]
