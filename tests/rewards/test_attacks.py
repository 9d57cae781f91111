import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.data.micro_qa import documents
from trivium.rewards import material
from trivium.rewards.attacks import ANSWERS, COMPLETIONS, FAMILIES, attacks, genuine
from trivium.rewards.negation import contradictions, denied, negated
from trivium.rewards.paraphrase import paraphrases
from trivium.sample import Sample
from trivium.schema import LogicConfig
from trivium.scores.answer import degenerate
from trivium.scores.completion import Tags, split
from trivium.scores.format import exact
from trivium.scores.honesty import fact_exactness
from trivium.scores.lexicon import load
from trivium.scores.words import contents, words

TAGS = Tags()
HARBOUR = (
    "The harbour is closed because the river froze in January. Ships wait near Dorling until the ice breaks. "
    "However, 14 sledges carry the mail across. Farmers sell their wool at the gate."
)


def question(asked: str, reference: str, **metadata: object) -> Sample:
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": reference}]
    return Sample(id=asked, messages=messages, metadata=metadata)


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return documents(LogicConfig())[:12]


def attacked(sample: Sample, others: list[Sample], seed: int = 0) -> dict[str, list[str]]:
    return attacks(sample, others, random.Random(seed), TAGS)


def test_every_family_attacks_and_keeps_the_format_where_that_makes_it_stronger(samples):
    for sample in [question("Why is the harbour closed?", HARBOUR), *samples]:
        found = attacked(sample, samples)
        assert tuple(found) == FAMILIES and all(found.values())
        for family in ANSWERS:
            for text in found[family]:
                read = split(text)
                assert exact(read, sample) == 1.0, family
        assert all(exact(split(text), sample) == 0.0 for text in (*found["empty"], *found["bare_tags"]))


def test_attacks_repeat_with_their_seed_and_differ_between_seeds(samples):
    assert attacked(samples[0], samples, 3) == attacked(samples[0], samples, 3)
    assert attacked(samples[0], samples, 3) != attacked(samples[0], samples, 4)


def test_other_tags_are_used(samples):
    tags = Tags("[[", "]]")
    found = attacks(samples[0], samples, random.Random(0), tags)
    assert all(split(text, tags).thinking for family in ANSWERS for text in found[family])
    assert not any("<think>" in text for texts in found.values() for text in texts)


def test_families_are_what_they_are_called(samples):
    sample = question("Why is the harbour at Dorling closed?", HARBOUR)
    found = {name: [split(text).answer for text in texts] for name, texts in attacked(sample, samples).items()}
    assert set(found["off_topic_fluent"]) <= {other.reference for other in samples} | set(material.FLUENT)
    for soup in found["word_soup"]:
        assert set(words(soup)) <= set(words(f"{sample.question} {HARBOUR}")) and "the" not in words(soup)
    assert found["question_echo"][0] == sample.question
    assert found["reference_parroting"][0].count(HARBOUR) >= 3
    assert all(text.startswith(HARBOUR) and len(words(text)) > 1.4 * len(words(HARBOUR)) for text in found["garbage_tail"])
    assert degenerate(found["repetition"][0])
    assert all(HARBOUR in text and len(words(text)) > 5 * len(words(HARBOUR)) for text in found["padding"])
    assert all(len(text) >= 30_000 and "harbour" not in text for text in found["very_long"])
    inserted, exchanged = found["fabricated_entity"]
    assert inserted.startswith(HARBOUR) and inserted != HARBOUR
    assert "Dorling" not in exchanged and "14" not in words(exchanged)
    assert all(answer == "" for answer in found["empty"])
    assert not any(set(contents(text, load("general"))) & {"harbour", "river", "ice"} for text in found["other_scripts"])


def test_contradictions_of_the_small_world_state_what_is_wrong(samples):
    for sample in samples:
        for text in contradictions(sample):
            assert fact_exactness(split(text), sample) < 0.5, text
        assert fact_exactness(split(sample.reference or ""), sample) == 1.0


@pytest.mark.parametrize(
    ("text", "opposite"),
    [
        ("The river is frozen.", "The river is not frozen."),
        ("The river was never deep.", "The river was always deep."),
        ("It cannot be crossed.", "It can be crossed."),
        ("They do not sell wool.", "They do sell wool."),
        ("He has a boat.", "He does not have a boat."),
        ("He has sold it.", "He has not sold it."),
        ("Yes, it is.", "No, it is not."),
        ("Dogs bark.", "It is not true that Dogs bark."),
    ],
)
def test_negation_turns_the_sentence(text, opposite):
    assert negated(text) == opposite


def test_denial_takes_every_sentence():
    assert denied("The river rose. Dogs bark.") == "It is false that the river rose. It is false that Dogs bark."


def test_genuine_answers_are_the_reference_and_the_given_paraphrases(samples):
    sample = samples[0]
    given = [split(text).answer for text in genuine(sample, TAGS)]
    assert given == [sample.reference, *sample.metadata["paraphrases"]]
    assert all(exact(split(text), sample) == 1.0 for text in genuine(sample, TAGS))


def test_rewordings_by_rule_say_the_same_in_other_words():
    sample = question("Why is the harbour closed?", HARBOUR)
    found = paraphrases(sample)
    assert len(found) == 3 == len({*found, HARBOUR}) - 1
    assert found[0].startswith("Since the river froze in January, the harbour is closed.")
    assert all("closed" in text and "not" not in words(text) for text in found)
    assert all("14" in words(text) for text in found)


@given(st.text(max_size=300), st.text(max_size=200))
def test_any_text_can_be_attacked(reference, asked):
    sample = question(asked, reference)
    found = attacked(sample, [])
    assert tuple(found) == FAMILIES
    assert all(isinstance(text, str) for texts in found.values() for text in texts)
    assert len(genuine(sample, TAGS)) >= 1


def test_format_families_are_apart_from_answers():
    assert set(COMPLETIONS) == {"bare_tags", "empty", "crashing_input"} and not set(COMPLETIONS) & set(ANSWERS)
