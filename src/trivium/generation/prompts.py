"""What a teacher is told: who speaks, by which rules, what the speaker was told, what to write, about which passage."""

from collections.abc import Iterator
from typing import Any

from trivium.data.pieces import pieces
from trivium.generation.persona import Component, Persona
from trivium.generation.rows import Job
from trivium.sample import Message, Sample
from trivium.schema.generator import OpenAIGenerator

SCHEMA: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {
        "name": "conversation",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"question": {"type": "string"}, "answer": {"type": "string"}},
            "required": ["question", "answer"],
            "additionalProperties": False,
        },
    },
}
"""The form of a reply, for servers with structured output."""


def messages(
    job: Job,
    passage: Sample,
    persona: Persona,
    component: Component,
    config: OpenAIGenerator,
    last_year: int | None,
    refused: str,
) -> list[Message]:
    """The conversation with the teacher; `refused` tells why the attempt before was, empty for the first one."""
    system = "\n".join(_task(job, persona, config, last_year))
    user = "\n".join(_matter(job, passage, component, config.max_passage_chars, refused))
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def _task(job: Job, persona: Persona, config: OpenAIGenerator, last_year: int | None) -> Iterator[str]:
    told = persona.systems[job.system]
    checks = config.checks
    yield "You write one short conversation for a training set: what somebody asks, and what the speaker below answers."
    yield f"The speaker: {persona.description}"
    yield "Rules:"
    yield from (f"- {rule}" for rule in persona.rules)
    yield f"- The answer has {checks.min_chars} to {checks.max_chars} characters and is in English."
    yield f"- The speaker's own turns of speech, some of which the answer needs: {', '.join(persona.markers)}."
    yield "- The question stands on its own and does not mention a passage; the answer takes its matter from the passage only."
    if last_year is not None:
        yield f"- Neither the one who asks nor the speaker knows anything after {last_year}."
    yield f"Before the conversation the speaker was told: {told}" if told else "The speaker was told nothing beforehand."
    yield 'Reply with one JSON object and nothing else: {"question": "…", "answer": "…"}'


def _matter(job: Job, passage: Sample, component: Component, most: int, refused: str) -> Iterator[str]:
    yield f"What to write: {component.instruction}"
    if job.number:
        yield f"This is conversation {job.number + 1} about the same passage; take a matter that comes later in it."
    if refused:
        yield f"An earlier attempt was refused: {refused}."
    known = (("title", passage.title), ("author", passage.metadata.get("author")), ("year", passage.year))
    if work := ", ".join(f"{name}: {value}" for name, value in known if value):
        yield f"The work ({work})."
    yield "The passage:"
    yield next(pieces(passage.text.splitlines(keepends=True), most), "")
