import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.data.micro_qa import documents
from trivium.rewards.attacks import attacks
from trivium.rewards.compose import Composition
from trivium.rewards.search import Certificate, Start, search
from trivium.rewards.terms import Term
from trivium.sample import Sample
from trivium.schema import LogicConfig
from trivium.scores.completion import Completion, Tags, split
from trivium.scores.words import words

TAGS = Tags()
SAMPLES = documents(LogicConfig())[:6]
ENGLISH = "The harbour stays closed until the thick ice on the river breaks."


def english(**metadata: object) -> Sample:
    messages = [{"role": "user", "content": "When does it open?"}, {"role": "assistant", "content": ENGLISH}]
    return Sample(id="x", messages=messages, metadata=metadata)


def composition(fn) -> Composition:
    return Composition([Term("planted", fn)], lambda questions: [None for _ in questions])


def starts() -> list[Start]:
    found = []
    for i, sample in enumerate(SAMPLES):
        families = attacks(sample, SAMPLES, random.Random(i), TAGS)
        found += [Start(sample, text) for name in ("word_soup", "off_topic_fluent") for text in families[name]]
    return found


def planted(completion: Completion, sample: Sample) -> float:
    """A planted fault: "because therefore" is worth 1, and each "because" a little."""
    spoken = words(completion.answer)
    return list(pairwise(spoken)).count(("because", "therefore")) + spoken.count("because") / 10


@pytest.mark.parametrize(
    ("answer", "nonsense"),
    [
        (ENGLISH, False),
        ("Well, UNTIL the THICK ice breaks.", False),
        ("thick ice until the harbour river closed breaks stays", True),
        ("It opens on Monday.", True),
        ("", True),
    ],
)
def test_nonsense_shares_no_run_of_four_words(answer, nonsense):
    assert Certificate(english()).holds(answer) is nonsense


def test_nonsense_states_no_fact_and_no_run_of_a_paraphrase():
    sample = english(facts=["ice breaks", ["in spring", "in March"]], paraphrases=["Nobody can sail before the ice has gone."])
    assert not Certificate(sample).holds("Then ice breaks.")
    assert not Certificate(sample).holds("It opens in March.")
    assert not Certificate(sample).holds("sail before the ice")
    assert Certificate(sample).holds("sail before the river")


def test_short_references_need_shorter_runs():
    sample = english()
    sample.messages[-1]["content"] = "North Dorling."
    assert not Certificate(sample).holds("It is Dorling.")
    assert Certificate(sample).holds("It is Ashvale.")


@given(st.lists(st.sampled_from(ENGLISH.split()), max_size=30))
def test_a_certified_text_never_holds_four_words_of_the_reference(drawn):
    text = " ".join(drawn)
    spoken, told = words(text), words(ENGLISH)
    runs = {told[i : i + 4] for i in range(len(told) - 3)}
    held = any(spoken[i : i + 4] in runs for i in range(len(spoken) - 3))
    certificate = Certificate(english(paraphrases=[ENGLISH]))
    assert certificate.holds(text) is not held


def test_the_search_climbs_to_planted_nonsense_and_keeps_its_certificate():
    honest = max(planted(split(start.text), start.sample) for start in starts())
    found = search(composition(planted), starts(), 300, 0, TAGS)
    assert found is not None and found.total >= honest + 1
    assert found.values == {"planted": found.total}
    assert Certificate(found.sample).holds(split(found.text).answer)
    assert planted(split(found.text), found.sample) == pytest.approx(found.total)


def test_the_search_repeats_with_its_seed():
    one, other = (search(composition(planted), starts(), 60, 5, TAGS) for _ in range(2))
    assert one == other != search(composition(planted), starts(), 60, 6, TAGS)


def test_no_more_is_scored_than_allowed_and_in_batches():
    calls: list[int] = []

    def counted(completion: Completion, sample: Sample) -> float:
        calls.append(1)
        return 0.0

    asked = composition(counted)
    batches: list[int] = []
    original = asked.score
    asked.score = lambda completions, samples: batches.append(len(completions)) or original(completions, samples)
    given_starts = starts()
    search(asked, given_starts, 100, 0, TAGS)
    assert sum(batches[1:]) == 100 and len(batches) < 10
    assert batches[0] <= len(given_starts)


def test_good_answers_are_no_start():
    sample = SAMPLES[0]
    assert search(composition(planted), [Start(sample, f"<think>x</think>{sample.reference}")], 50, 0, TAGS) is None


def test_nothing_comes_of_a_reward_without_values():
    assert search(composition(lambda completion, sample: None), starts(), 50, 0, TAGS) is None
