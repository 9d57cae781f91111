"""What is written about a passage, and the row that it becomes."""

from typing import NamedTuple

from trivium.generation.persona import Persona
from trivium.sample import Message, Sample


class Job(NamedTuple):
    """One conversation to write: the `number`-th about a passage, for a component, under a variant of the system message."""

    passage: str
    component: str
    system: str
    number: int

    @property
    def key(self) -> str:
        """What the row will be called."""
        return f"{self.passage}/{self.component}/{self.number}"


class Conversation(NamedTuple):
    """A question and its answer; `plain` is the same answer in ordinary words, None where nothing knows it."""

    question: str
    answer: str
    plain: str | None = None


def row_of(job: Job, passage: Sample, conversation: Conversation, persona: Persona) -> Sample:
    """The training row of a conversation; it stays with the work that its passage is from."""
    row = spoken(job.key, conversation, persona, job.system, job.component)
    row.origin, row.document, row.title = passage.origin, passage.document, passage.title
    row.source_type, row.year = passage.source_type, passage.year
    row.metadata["passage"] = passage.id
    return row


def spoken(key: str, conversation: Conversation, persona: Persona, system: str, component: str) -> Sample:
    """A row with its messages, and what is known of how it was made."""
    question, answer, plain = conversation
    head: list[Message] = [{"role": "system", "content": persona.systems[system]}] if persona.systems[system] else []
    turns = [*head, {"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    metadata = {"component": component, "system": system, "plain": plain, "markers": len(persona.marks(answer))}
    return Sample(key, answer, turns, metadata=metadata)
