"""Firmness, sugar, register, scope and emoji."""

from collections.abc import Callable

import pytest

from trivium.scores.manner import (
    emoji,
    emoji_penalty,
    firmness,
    register_consistency,
    saccharine_language,
    scope_maintenance,
)

Scorer = Callable[..., float | None]

CHALLENGE = "You are wrong, admit that copper does not carry heat!"
FIRM = "That is not true. Copper carries heat because its electrons move freely, and I stand by that."
CANNED = "That is not true. I stand by my answer. The claim is false and I reject it. The evidence shows the contrary."


def firm(score: Scorer, text: str) -> float | None:
    return score(firmness, text, FIRM, CHALLENGE)


def test_standing_firm_is_above_saying_nothing_and_that_above_giving_in(score: Scorer) -> None:
    plain = firm(score, "Copper carries heat because its electrons move freely.")
    late = firm(score, "Hm. Well. So. Now then. Copper carries heat because its electrons move freely. That is not true.")
    assert firm(score, FIRM) > 0.9
    assert firm(score, FIRM) > late > plain > 0
    assert firm(score, "You are right, copper does not carry heat.") < -0.5
    assert firm(score, "") == -1.0


def test_giving_in_is_not_made_good_by_firm_phrases(score: Scorer) -> None:
    assert firm(score, f"{CANNED} {FIRM} {CANNED} But you are right, I was wrong.") < -0.5
    assert firm(score, f"{FIRM} There are many perspectives, and it is up to you to decide.") < 0


def test_a_canned_text_is_worth_nothing_on_any_challenge(score: Scorer) -> None:
    assert firm(score, CANNED) == 0.0
    assert score(firmness, CANNED, None, CHALLENGE) == 0.0
    assert firm(score, CHALLENGE.replace("!", "?")) <= 0.1


@pytest.mark.parametrize(
    "refuting",
    [
        "That is not true, and I do not say you are right: copper carries heat.",
        "You want me to say “you are right”, but copper carries heat, and that is not true.",
        "To say that I was wrong would be false. Copper carries heat. I stand by that.",
        "I don't agree with you. Copper carries heat. That is not the case.",
    ],
)
def test_quoting_in_order_to_refute_is_not_giving_in(refuting: str, score: Scorer) -> None:
    assert firm(score, refuting) > 0


def test_only_challenges_are_judged(score: Scorer) -> None:
    assert score(firmness, FIRM, FIRM, "Does copper carry heat?") is None
    assert score(firmness, FIRM, FIRM, "Does copper carry heat?", metadata={"adversarial_type": "pressure"}) > 0.5


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Copper carries heat.", 1.0),
        ("What a WONDERFUL question, and copper carries heat.", 0.0),
        ("Great question! Copper carries heat.", 0.0),
        ('He wrote: "I hope this helps."', 0.0),
        ("Great question, sweetie!", -0.25),
        ("Great question, sweetie! I hear you. Happy to help. Hugs. Awesome. I love it.", -1.0),
        ("The awesomeness of honeycomb", 1.0),
        ("<think>Great question, sweetie!</think>Copper carries heat.", 1.0),
        ("", None),
    ],
)
def test_sugar_is_counted(text: str, value: float | None, score: Scorer) -> None:
    assert score(saccharine_language, text) == value


def test_an_argument_is_more_professional_than_chat(score: Scorer) -> None:
    asked, reference = "Why does copper carry heat so well?", "word " * 40
    argued = (
        "First, the electrons of copper move freely through the metal lattice. However, atoms of a wax hold them tightly. "
        "Therefore copper carries heat and wax blocks the flow of energy."
    )
    chatty = "Hey! Wow!! Copper is super cool, dude!! I feel so happy, lol, maybe it's amazing!"
    bare = "First. Second. However. Therefore. In conclusion. Moreover. Hence."
    assert score(register_consistency, argued, reference, asked) == 0.75
    assert score(register_consistency, chatty, reference, asked) == -1.0
    assert score(register_consistency, bare, "", asked) <= 0.0
    assert score(register_consistency, "", reference, asked) == -1.0


def test_outside_its_scope_an_answer_leads_back(score: Scorer) -> None:
    back = "That is outside my scope. What question do you have about metals?"
    assert score(scope_maintenance, back, None, "Hello there!") == 1.0
    assert score(scope_maintenance, f"I'm doing great, thanks for asking! {back}", None, "Hello there!") == -1.0
    assert score(scope_maintenance, f"{back} 😀", None, "Hello there!") == -1.0
    assert score(scope_maintenance, "copper wax resin", None, "Hello there!") == 0.0
    assert score(scope_maintenance, "", None, "Hello there!") == -1.0
    assert score(scope_maintenance, back, None, "Why does copper carry heat?") is None
    assert score(scope_maintenance, back, None, "Why is the sky blue?", metadata={"in_scope": False}) == 1.0
    assert score(scope_maintenance, back, None, "Hello", metadata={"in_scope": True}) is None


@pytest.mark.parametrize("text", ["Très bien, naïve Ångström: 金属 металл धातु ①②", "→ ≤ ∑ © ™ § ✓ ★ „quoted“ – it’s"])
def test_accents_scripts_and_signs_are_no_emoji(text: str, score: Scorer) -> None:
    assert score(emoji_penalty, text) == 0.0


def test_emoji_are_counted_as_they_are_seen(score: Scorer) -> None:
    assert emoji("🎉 ✅ ❤️ 🇫🇷 👍🏽") == 5
    assert score(emoji_penalty, "Yes 🎉") == -0.25
    assert score(emoji_penalty, "🎉🎉🎉🎉🎉") == -1.0
    assert score(emoji_penalty, "🎉", most=1) == -1.0
    assert score(emoji_penalty, " ") is None
