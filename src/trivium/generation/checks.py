"""What a written conversation must be like."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from trivium.data.rejects import BadRow
from trivium.generation.persona import Persona
from trivium.generation.rows import Conversation
from trivium.generation.sentences import lexicon
from trivium.sample import Sample
from trivium.schema.generator import ChecksConfig
from trivium.scores.repetition import ngrams
from trivium.scores.words import is_prose, sentences, words

Verify = Callable[[Conversation, Sample], BadRow | None]
"""What is wrong with a conversation about a passage."""

COPIED, REPEATED = 0.9, 0.8
"""Share of an answer's word runs that stand in the passage, or in the question, from which it is a copy."""

_RUN = 4
_ROLE = re.compile(
    r"^\s*(?:\W{0,2}(?:user|assistant|system|human|ai|question|answer|response|q|a)\W{0,2}):(?!\w)",
    re.IGNORECASE | re.MULTILINE,
)
_MARKUP = re.compile(
    r"```|~~~|^#{1,6} |\*\*|\[/?INST\]|<<SYS>>|<\|[^|>]*\|>|</?(?:think|s|im_start|im_end)>|^\s*[-*] |https?://", re.MULTILINE
)
_SLOT = re.compile(r"\{[\w ]*\}|\[[^\]\n]{1,40}\]|<[a-z_ ]{2,30}>|_{3,}|\bX{3,}\b|\bTODO\b")


def problem(
    conversation: Conversation, passage: Sample, persona: Persona, config: ChecksConfig, modern: Callable[[str], Sequence[str]]
) -> BadRow | None:
    """The first thing that is wrong with a conversation, None where nothing is.

    `modern` finds terms that are younger than the period in a text.
    """
    found = chain(
        _of_length(conversation.answer, config),
        _of_artefacts(conversation),
        _of_question(conversation.question),
        _of_language(conversation),
        _of_persona(conversation.answer, persona, config.min_markers),
        _of_period(conversation.answer, config.max_anachronisms, modern),
        _of_copies(conversation, passage),
    )
    return next(found, None)


def _of_length(answer: str, config: ChecksConfig) -> Iterator[BadRow]:
    if len(answer) < config.min_chars:
        yield BadRow("the answer is too short", f"{len(answer)} characters, at least {config.min_chars}: {_shown(answer)}")
    if len(answer) > config.max_chars:
        yield BadRow("the answer is too long", f"{len(answer)} characters, at most {config.max_chars}: {_shown(answer)}")


def _of_artefacts(conversation: Conversation) -> Iterator[BadRow]:
    for text in conversation[:2]:
        found = lexicon().find(text, "artefacts", negatable=False)
        found += [match[0].strip() for pattern in (_MARKUP, _ROLE, _SLOT) if (match := pattern.search(text))]
        if found:
            yield BadRow("what is written shows how it was made", f"{found[0]!r} in {_shown(text)}")


def _of_question(question: str) -> Iterator[BadRow]:
    told = sentences(question)
    first = words(told[-1])[:1] if told else ()
    if not told or len(words(question)) < 3:
        yield BadRow("the question is none", _shown(question))
    elif not question.rstrip("\"'”’) ").endswith("?") and not lexicon().words("requests") & set(first):
        yield BadRow(
            "the question is none", f"it neither ends with a question mark nor begins as a request: {_shown(question)}"
        )


def _of_language(conversation: Conversation) -> Iterator[BadRow]:
    for text in conversation[:2]:
        if not is_prose(text, lexicon()):
            yield BadRow("what is written is not English", _shown(text))


def _of_persona(answer: str, persona: Persona, least: int) -> Iterator[BadRow]:
    marks = len(persona.marks(answer)) if least else 0
    if marks < least:
        yield BadRow("the answer is not in the persona's voice", f"{marks} marks of it, at least {least}: {_shown(answer)}")


def _of_period(answer: str, most: int, modern: Callable[[str], Sequence[str]]) -> Iterator[BadRow]:
    terms = modern(answer)
    if len(terms) > most:
        yield BadRow("the answer is younger than the period", f"{', '.join(terms)} in {_shown(answer)}")


def _of_copies(conversation: Conversation, passage: Sample) -> Iterator[BadRow]:
    if _within(conversation.answer, passage.text) >= COPIED:
        yield BadRow("the answer is a copy of the passage", _shown(conversation.answer))
    if _within(conversation.answer, conversation.question) >= REPEATED:
        yield BadRow("the answer is a copy of the question", _shown(conversation.answer))


def _within(answer: str, text: str) -> float:
    """Share of an answer's runs of words that stand in a text; 0 for an answer of fewer words than a run."""
    runs = ngrams(words(answer), _RUN)
    known = set(ngrams(words(text), _RUN))
    return sum(run in known for run in runs) / max(1, len(runs))


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 80 else text[:77] + "…")
