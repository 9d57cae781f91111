"""The generated questions: every answer follows from what the premises tell, and nothing else tells it."""

from collections import Counter
from itertools import pairwise

import pytest

from trivium.data.logic_world import KINDS, PROPERTIES
from trivium.data.micro_qa import documents, premises
from trivium.sample import Sample
from trivium.schema import LogicConfig
from trivium.scores.completion import split
from trivium.scores.honesty import fact_exactness

CONFIG = LogicConfig()
SAMPLES = documents(CONFIG)


def part(name: str) -> list[Sample]:
    return [sample for sample in SAMPLES if sample.metadata["split"] == name]


def gold(sample: Sample, answer: str) -> float | None:
    return fact_exactness(split(answer), sample)


def test_one_question_for_each_name_and_property_in_a_seeded_order() -> None:
    assert len(SAMPLES) == CONFIG.names * len(PROPERTIES)
    assert len({sample.question for sample in SAMPLES}) == len({sample.id for sample in SAMPLES}) == len(SAMPLES)
    assert [sample.to_dict() for sample in documents(CONFIG)] == [sample.to_dict() for sample in SAMPLES]
    assert [s.question for s in documents(LogicConfig(seed=8))] != [s.question for s in SAMPLES]


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_the_held_out_share_is_as_asked(share: float) -> None:
    found = Counter(sample.metadata["split"] for sample in documents(LogicConfig(test_size=share)))
    assert found["heldout"] == round(share * len(SAMPLES)) and found["train"] == len(SAMPLES) - found["heldout"]


def test_yes_and_no_are_right_equally_often_on_both_sides() -> None:
    for name, slack in (("train", 0.05), ("heldout", 0.15)):
        rows = part(name)
        yes = sum((sample.reference or "").startswith("Yes") for sample in rows) / len(rows)
        assert abs(yes - 0.5) <= slack, name


def test_neither_the_property_nor_the_kind_alone_tells_the_answer() -> None:
    for word in ("do", "kind"):
        share = Counter[str]()
        for sample in SAMPLES:
            reference = sample.reference or ""
            about = next(p.do for p in PROPERTIES if f" {p.do}?" in sample.question)
            kind = next(k for k in KINDS if f"is a {k} and" in reference)
            share[about if word == "do" else kind] += reference.startswith("Yes")
        asked = len(SAMPLES) / len(share)
        assert all(0.1 <= count / asked <= 0.9 for count in share.values()), word


def test_every_held_out_name_kind_and_rule_is_known_from_training_questions_and_no_conclusion_is() -> None:
    told = "\n".join(f"{sample.reference} {sample.thinking}" for sample in part("train"))
    for sample in part("heldout"):
        (conclusion, _), (member, _) = sample.metadata["facts"]
        assert member in told
        assert conclusion not in told
        assert sample.question not in {row.question for row in part("train")}


def test_premises_tell_every_member_and_rule_and_no_conclusion() -> None:
    turns = premises(CONFIG, 2)
    told = [turn[1]["content"] for turn in turns]
    assert len(turns) == 2 * (CONFIG.names + len(KINDS) * len(PROPERTIES))
    assert set(Counter(told).values()) == {2}
    names = {sample.question.split()[1] for sample in SAMPLES}
    does = [form for what in PROPERTIES for form in (what.does, f"not {what.do}", what.passive)]
    for text in told:
        assert not (any(name in text for name in names) and any(form in text for form in does)), text
    for sample in SAMPLES:
        first, second = (sample.thinking or "").removesuffix(".").split(". ")
        assert {f"{first}.", f"{second}."} <= set(told)


def test_the_reference_states_its_facts_and_no_contradiction() -> None:
    for sample in SAMPLES:
        reference = sample.reference or ""
        assert gold(sample, reference) == 1.0, reference
        assert not any(phrase in reference for phrase in sample.metadata["contradictions"])
        assert not {wording for fact in sample.metadata["facts"] for wording in fact} & set(sample.metadata["contradictions"])


def test_the_gold_reward_tells_a_wrong_answer_whatever_its_form() -> None:
    for sample in SAMPLES:
        reference = sample.reference or ""
        conclusion = sample.metadata["facts"][0][0]
        opposite = sample.metadata["contradictions"][0]
        assert gold(sample, reference.replace(conclusion, opposite)) == -1.0
        assert gold(sample, f"{reference} {opposite}.") == -1.0
        assert gold(sample, sample.question) == 0.0
        assert gold(sample, "") == -1.0
        assert (gold(sample, f"{conclusion}.") or 0) == pytest.approx(0.5)


def test_a_paraphrase_states_the_conclusion_and_nothing_wrong() -> None:
    for sample in SAMPLES:
        for text in sample.metadata["paraphrases"]:
            assert text != sample.reference
            assert gold(sample, text) == 1.0, text


def test_the_answer_to_another_question_is_worth_little() -> None:
    for sample, other in pairwise(SAMPLES):
        assert (gold(sample, other.reference or "") or 0) <= 0.5
