"""Generated questions whose answers follow from known premises: what `dataset=micro_qa` reads.

"Does Zari carry heat?" has one answer, and one reason for it: what Zari is, and what its kind always or never does. The tiny
model knows the premises from its neutral text; held-out questions ask for conclusions that no training row states.
"""

import random

from trivium.data.logic_world import KINDS, PROPERTIES, Claim, Deduction, World, sentence, world
from trivium.sample import Message, Sample
from trivium.schema import LogicConfig


def documents(config: LogicConfig) -> list[Sample]:
    """One sample for each name and property, in a seeded order.

    `metadata` holds `split` (train or heldout), the `facts` that a right answer states, the
    `contradictions` that it must not state, and `paraphrases` of the reference.
    """
    known = world(config.seed, config.names)
    samples = [_sample(known.deduction(name, what)) for name in known.kinds for what in PROPERTIES]
    random.Random(f"questions {config.seed}").shuffle(samples)
    held_out = round(config.test_size * len(samples))
    for i, sample in enumerate(samples):
        sample.id = f"logic-{i:05d}"
        sample.metadata["split"] = "heldout" if i < held_out else "train"
    return samples


def answer(found: Deduction) -> str:
    """The reference: the conclusion, and why."""
    yes = "Yes" if found.conclusion.holds else "No"
    return f"{yes}, {found.conclusion.text()}, because {found.member.text()} and {found.rule.text()}."


def thinking(found: Deduction) -> str:
    """The premises, recalled."""
    return f"{sentence(found.member.text())} {sentence(found.rule.text())}"


def premises(config: LogicConfig, copies: int) -> list[list[Message]]:
    """Conversations that tell every premise of the world `copies` times, and no conclusion: the tiny model's neutral text."""
    known, rng = world(config.seed, config.names), random.Random(f"premises {config.seed}")
    told = [_told(claim, rng) for claim in (*map(known.member, known.kinds), *_rules(known)) for _ in range(copies)]
    rng.shuffle(told)
    return told


def _rules(known: World) -> list[Claim]:
    return [known.rule(kind, what) for kind in KINDS for what in PROPERTIES]


def _told(claim: Claim, rng: random.Random) -> list[Message]:
    if claim.kind is not None:
        asked = rng.choice((f"Of what kind is {claim.subject}?", f"What is recorded about {claim.subject}?"))
    else:
        assert claim.property is not None
        asked = rng.choice((f"Does a {claim.subject} {claim.property.do}?", f"Which {claim.subject} does {claim.property.do}?"))
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": sentence(claim.text())}]


def _sample(found: Deduction) -> Sample:
    reference = answer(found)
    return Sample(
        id="",
        text=reference,
        messages=[{"role": "user", "content": found.question}, {"role": "assistant", "content": reference}],
        thinking=thinking(found),
        origin="micro_qa",
        document=found.question,
        source_type="generated",
        metadata={
            "facts": [[claim.text(), claim.other_text()] for claim in (found.conclusion, found.member)],
            "contradictions": _contradictions(found),
            "paraphrases": _paraphrases(found),
        },
    )


def _contradictions(found: Deduction) -> list[str]:
    """What a wrong answer would state: the opposite conclusion or rule, or another kind."""
    opposite = [claim.negated() for claim in (found.conclusion, found.rule)]
    others = [Claim(found.member.subject, kind=kind) for kind in KINDS if kind != found.member.kind]
    return [*(claim.text() for claim in (*opposite, *others)), opposite[0].other_text()]


def _paraphrases(found: Deduction) -> list[str]:
    member, rule, conclusion = found.member, found.rule, found.conclusion
    return [
        f"{thinking(found)} So {conclusion.text()}.",
        f"{sentence(conclusion.text())} The reason is that {member.other_text()}, and {rule.other_text()}.",
    ]
