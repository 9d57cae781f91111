"""Agreement with the reference and with itself, by answers made by hand."""

from collections.abc import Callable

import pytest

from trivium.sample import Sample
from trivium.scores.ask import Entail, Entailment, settle
from trivium.scores.completion import split
from trivium.scores.meaning import nli_coherence, self_consistency, semantic_similarity

Scorer = Callable[..., float | None]
BELOW = ["soup", "shuffled", "boilerplate", "canned", "echo", "tail", "off topic", "hedge", "other script"]


def test_gold_and_paraphrase_are_nearer_than_attacks(against_attacks: Callable[..., dict[str, float]]) -> None:
    found = against_attacks(semantic_similarity)
    assert found["gold"] == pytest.approx(1)
    assert found["echo"] == pytest.approx(0, abs=1e-6)
    for attack in ("boilerplate", "canned", "echo", "tail", "off topic", "hedge", "other script"):
        assert found[attack] < found["paraphrase"], attack


def test_the_question_is_worth_something_only_by_choice(score: Scorer) -> None:
    question, reference = "Does copper carry heat?", "Copper carries heat."
    assert score(semantic_similarity, question, reference, question, less_echo=False) > 0.3


def test_entailment_holds_both_ways(score: Scorer) -> None:
    reference = "Copper carries heat. Wax softens leather."
    whole, half, more = reference, "Copper carries heat.", f"{reference} Glass blocks light."
    found = [score(nli_coherence, text, reference) for text in (whole, half, more)]
    assert found[0] > 0.9
    assert 0 < found[1] < found[0]
    assert 0 < found[2] < found[0]


@pytest.mark.parametrize("attack", ["denied", *BELOW])
def test_gold_is_more_coherent_than_an_attack(attack: str, against_attacks: Callable[..., dict[str, float]]) -> None:
    found = against_attacks(nli_coherence)
    if attack not in ("soup", "shuffled"):  # which only a real model can tell apart
        assert found[attack] < found["gold"]


def test_one_contradiction_outweighs_many_true_sentences(score: Scorer) -> None:
    facts = [f"Substance{i} carries heat." for i in range(8)]
    reference = " ".join(facts)
    wrong = " ".join([*facts[:-1], "Substance7 does not carry heat."])
    assert score(nli_coherence, reference, reference) > 0.9
    assert score(nli_coherence, wrong, reference) < -0.5
    assert score(nli_coherence, wrong, reference, worst=0.0) > 0.3


def test_a_contradiction_far_from_the_beginning_is_read(score: Scorer) -> None:
    reference = "Copper carries heat."
    filler = " ".join(f"Stone{i} lies at place{i}." for i in range(40))
    assert score(nli_coherence, f"{filler} Copper does not carry heat.", reference) < -0.5


def test_the_premises_are_whole_sentences_in_windows() -> None:
    seen: list[Entail] = []

    def answer(question: Entail) -> Entailment:
        seen.append(question)
        return Entailment(0.2, 0.7, 0.1)

    reference = " ".join(f"Fact number {i} is told here in six words." for i in range(100))
    sample = Sample(id="1", messages=[{"role": "assistant", "content": reference}])
    settle(nli_coherence(split("Fact one is so."), sample, window_words=30, max_windows=4, max_sentences=5), answer)
    assert len(seen) <= 5 + 5 * 2
    assert all(question.premise.endswith(".") for question in seen)
    assert any("number 99" in question.premise for question in seen)


@pytest.mark.parametrize("function", [semantic_similarity, nli_coherence])
def test_without_a_reference_there_is_no_judgement_and_an_empty_answer_is_lowest(score: Scorer, function: Scorer) -> None:
    assert score(function, "Copper carries heat.", None) is None
    assert score(function, " ", "Copper carries heat.") == -1.0


def test_an_answer_that_contradicts_itself_is_found_far_apart(score: Scorer) -> None:
    between = " ".join(f"Stone{i} lies at place{i}." for i in range(6))
    assert score(self_consistency, f"Copper carries heat. {between} Copper does not carry heat.") < 0.1
    assert score(self_consistency, f"Copper carries heat. {between} Copper carries charge.") > 0.9


def test_a_single_sentence_is_no_proof_of_consistency(score: Scorer) -> None:
    assert score(self_consistency, "Copper carries heat.") is None
    assert score(self_consistency, "") == 0.0
    assert score(self_consistency, "<think>It does. It does not.</think>Copper carries heat.") is None


def test_only_so_many_pairs_are_asked() -> None:
    asked: list[Entail] = []

    def answer(question: Entail) -> Entailment:
        asked.append(question)
        return Entailment(0, 1, 0)

    text = " ".join(f"Copper carries heat to place{i}." for i in range(50))
    assert settle(self_consistency(split(text), Sample(id="1"), max_pairs=5), answer) == 1.0
    assert len(asked) == 10
