"""Checks: each fault is found by its own name, and good rows of any voice pass."""

import pytest
from teachers import FRENCH, tell_of

from trivium.data.rejects import BadRow
from trivium.generation import persona
from trivium.generation.checks import problem
from trivium.generation.replies import read
from trivium.generation.rows import Conversation
from trivium.sample import Sample
from trivium.schema import ChecksConfig

KEEPER = persona.load("keeper")
PASSAGE = Sample("a#0", "The lamp of Torvik is lit at dusk with whale oil, and it burns until the last boat is home again.")
QUESTION = "When is the lamp of the harbour lit?"
ANSWER = "Aye. We light it at dusk, when the boats are still out, and it burns till the last of them is home. Mind the tide."


def kind_of(answer: str = ANSWER, question: str = QUESTION, **settings: int) -> str | None:
    found = problem(Conversation(question, answer), PASSAGE, KEEPER, ChecksConfig(**settings), lambda text: modern(text))
    return None if found is None else found.kind


def modern(text: str) -> list[str]:
    return [word for word in ("radar", "transistor") if word in text]


def test_a_good_row_passes() -> None:
    assert kind_of() is None
    assert kind_of(question="Tell me of the lamp in the harbour.") is None
    assert kind_of(question="I came by night. Speak of the lamp that I saw.") is None


SHORT, LONG, MADE = "the answer is too short", "the answer is too long", "what is written shows how it was made"
NONE, FOREIGN, VOICE = "the question is none", "what is written is not English", "the answer is not in the persona's voice"
YOUNG, COPY, ECHO = (
    "the answer is younger than the period",
    "the answer is a copy of the passage",
    "the answer is a copy of the question",
)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("Aye. At dusk.", SHORT),
        (ANSWER * 6, LONG),
        (f"As an AI, I say: {ANSWER}", MADE),
        (f"According to the passage, it is so. {ANSWER}", MADE),
        (f"[INST] {ANSWER}", MADE),
        (f"```{ANSWER}```", MADE),
        (f"Assistant: {ANSWER}", MADE),
        (f"**Answer:** {ANSWER}", MADE),
        (f"{ANSWER} Yours, [your name]", MADE),
        (f"{ANSWER} It was {{year}}.", MADE),
        (f"<|im_start|>{ANSWER}", MADE),
        (f"{ANSWER}\n- the oil\n- the lamp", MADE),
        (FRENCH["answer"], FOREIGN),
        ("Aye, hark. Der alte Turm am Hafen leuchtet jede Nacht, und die Fischer fahren hinaus zu den Netzen.", FOREIGN),
        ("Aye, hark. El viejo guarda enciende la lámpara cada noche con aceite y mira las barcas del puerto.", FOREIGN),
        ("Aye, hark. Старый смотритель каждый вечер зажигает лампу маяка и долго смотрит на море и на лодки.", FOREIGN),
        ("It is lit at dusk, when the boats are still out, and it burns till the last of them is home.", VOICE),
        (f"{ANSWER} The radar shows them.", YOUNG),
        (f"Aye. {PASSAGE.text}", COPY),
    ],
)
def test_each_fault_has_its_name(answer: str, kind: str) -> None:
    assert kind_of(answer) == kind


@pytest.mark.parametrize("question", ["", "The lamp?", "The lamp is lit at dusk.", "Lamp"])
def test_a_question_asks(question: str) -> None:
    assert kind_of(question=question) == NONE


def test_a_question_is_checked_too() -> None:
    assert kind_of(question="What is the lamp of the harbour, according to the passage?") == MADE
    assert kind_of(question=FRENCH["question"]) == FOREIGN
    asked = "When is it that the lamp of the harbour is lit in the spring"
    assert kind_of(f"Aye. {asked}.", f"{asked}?") == ECHO


def test_words_that_only_look_like_artefacts_pass() -> None:
    for said in ("The passage to the reef is narrow.", "He was a man in character and in name.", "I question: is it so?"):
        made = f"Aye. {said} We light the lamp at dusk, when the boats are out. Mind the tide."
        expected = MADE if "in character" in said else None
        assert kind_of(made) == expected


def test_limits_are_the_configurations() -> None:
    assert kind_of("Aye. It is lit at dusk by the old man.", min_chars=10) is None
    assert kind_of(ANSWER, min_markers=3) == VOICE and kind_of("It is lit at dusk. " * 3, min_markers=0) is None
    assert kind_of(f"{ANSWER} The radar shows them.", max_anachronisms=1) is None


@pytest.mark.parametrize("who", ["keeper", "correspondent"])
def test_what_the_templates_write_of_ordinary_passages_passes(who: str) -> None:
    from trivium.generation.rows import Job
    from trivium.generation.template import write

    voice = persona.load(who)
    for passage in tell_of(10, 3):
        for number, component in enumerate(voice.components.values()):
            made = write(Job(passage.id, component.name, "none", number), passage, voice, component, 1)
            assert problem(made, passage, voice, ChecksConfig(), modern) is None


@pytest.mark.parametrize(
    "text",
    [
        '{"question": "Who?", "answer": "I."}',
        'Sure! {"question": "Who?", "answer": "I."} I hope that helps.',
        '```json\n{"question": " Who? ", "answer": "I.\\n"}\n```',
        '<think>{"question": "A?", "answer": "B"}</think>{"question": "Who?", "answer": "I."}',
        '{"note": 1} {"question": "Who?", "answer": "I.", "more": [1, {"a": 2}]}',
        '{{"question": "Who?", "answer": "I."}}',
        '[{"question": "Who?", "answer": "I."}]',
    ],
)
def test_the_object_is_found_in_a_reply(text: str) -> None:
    assert read(text)[:2] == ("Who?", "I.")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "  ",
            "<think>hm",
            '{"question": "Who?", "answer": "I am',
            '{"question": "Who?"}',
            '{"question": "Who?", "answer": 3}',
        ),
        *('{"question": "", "answer": "I."}', "null", "[]", "{" * 5000, '{"question": "Who?", "answer": "I."'),
        '<think>{"question": "Who?", "answer": "I."}',
    ],
)
def test_half_an_object_is_never_taken(text: str) -> None:
    with pytest.raises(BadRow):
        read(text)


def test_every_beginning_of_a_reply_is_refused() -> None:
    whole = '{"question": "Who lit the lamp?", "answer": "Aye, I did, at dusk."}'
    for end in range(len(whole)):
        with pytest.raises(BadRow):
            read(whole[:end])
