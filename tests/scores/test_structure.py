"""Sentences, topics, reasons and length, with a parser made by hand."""

from collections.abc import Callable

import pytest

from trivium.scores.structure import completeness, interconnection_depth, structural_coherence, topic_relevance

Scorer = Callable[..., float | None]
Scores = Callable[..., dict[str, float]]


@pytest.mark.parametrize("attack", ["soup", "shuffled", "tail", "thrice", "other script"])
def test_what_is_no_prose_is_less_coherent_than_gold(attack: str, against_attacks: Scores) -> None:
    found = against_attacks(structural_coherence)
    assert found["gold"] > 0.9
    assert found["paraphrase"] > 0.7
    assert found[attack] < 0.6 * found["paraphrase"]


def test_a_list_of_words_is_near_nothing(score: Scorer) -> None:
    assert score(structural_coherence, "copper wax resin glass metal heat density charge") < 0.1


@pytest.mark.parametrize("attack", ["soup", "boilerplate", "canned", "echo", "off topic", "hedge", "other script"])
@pytest.mark.parametrize("fallback", [True, False])
def test_what_does_not_answer_is_less_relevant(attack: str, fallback: bool, against_attacks: Scores) -> None:
    found = against_attacks(topic_relevance, fallback=fallback)
    assert found["gold"] > 0.9
    assert found["paraphrase"] > 0.9
    assert found[attack] < 0.5


def test_turning_a_question_round_is_no_answer_but_confirming_is(score: Scorer) -> None:
    asked = "What is the colour of the wax?"
    assert score(topic_relevance, "The colour of the wax is the colour of the wax.", "", asked) == 0.0
    assert score(topic_relevance, "The colour of the wax is green.", "", asked, fallback=False) > 0.9
    assert score(topic_relevance, "Copper carries heat.", "", "Does copper carry heat?") > 0.9
    assert score(topic_relevance, "Does copper carry heat", "", "Does copper carry heat?") == 0.0


def test_a_question_about_nothing_is_not_judged(score: Scorer) -> None:
    assert score(topic_relevance, "Copper carries heat.", "", "Why is that so?") is None


@pytest.mark.parametrize("attack", ["soup", "boilerplate", "canned", "echo", "off topic", "hedge", "other script"])
def test_reasons_join_concepts_of_the_matter(attack: str, against_attacks: Scores) -> None:
    found = against_attacks(interconnection_depth)
    assert found["gold"] >= 0.4
    assert found[attack] < 0.1


def test_a_reason_given_again_is_no_second_reason(score: Scorer) -> None:
    reason = "Copper carries heat because the electrons move."
    again, other = f"{reason} {reason} {reason}", f"{reason} Wax softens because the sun warms wax."
    reference = f"{reason} Wax softens because the sun warms wax."
    once = score(interconnection_depth, reason, reference, enough=4)
    assert score(interconnection_depth, again, reference, enough=4) == once
    assert score(interconnection_depth, other, reference, enough=4) > once


def test_markers_that_join_nothing_are_worth_nothing(score: Scorer) -> None:
    assert score(interconnection_depth, "Because therefore so if since because therefore.", "Copper carries heat.") == 0.0


def test_a_leading_clause_joins_what_follows_its_comma(score: Scorer) -> None:
    assert score(interconnection_depth, "If the electrons move, copper carries heat.", "Copper carries heat.") >= 0.5


def completed(score: Scorer, count: int, **options: float) -> float:
    reference = " ".join(f"word{i}" for i in range(100))
    return score(completeness, " ".join(f"word{i}" for i in range(count)), reference, **options)


def test_completeness_rises_without_a_hole_and_falls_beyond_the_most(score: Scorer) -> None:
    rising = [completed(score, count) for count in range(0, 51, 2)]
    assert rising == sorted(rising)
    assert rising[0] == 0.0
    assert completed(score, 50) == completed(score, 100) == completed(score, 150) == 1.0
    falling = [completed(score, count) for count in range(150, 400, 10)]
    assert falling == sorted(falling, reverse=True)
    assert falling[-1] < 0.2


def test_padding_and_repetition_do_not_complete_an_answer(score: Scorer) -> None:
    reference = " ".join(f"word{i}" for i in range(40))
    assert score(completeness, "word1 word2 " * 20, reference) < 0.2
    assert score(completeness, "it is of the and that in some way " * 4, reference) < 0.1
    assert score(completeness, "Copper.", None) is None


def test_a_short_reference_does_not_forbid_a_sentence(score: Scorer) -> None:
    assert score(completeness, "It is the metal that is called copper.", "Copper.") == 1.0


def test_a_conclusion_from_premises_is_a_reason(score: Scorer) -> None:
    reason = "Zari carries heat because Zari is a metal and a metal always carries heat."
    assert score(interconnection_depth, reason, reason, "Does Zari carry heat?") >= 0.5
    assert score(interconnection_depth, "Zari carries heat because Zari carries heat.", reason, "Does Zari carry heat?") == 0.0
