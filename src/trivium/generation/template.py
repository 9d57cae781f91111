"""The embedded generator: a sentence of the passage in the persona's frame, the same in every run, no server."""

from collections.abc import Mapping
from random import Random

from trivium.data.rejects import BadRow
from trivium.generation.checks import Verify
from trivium.generation.frames import anchored, fill, fitting, pick
from trivium.generation.persona import VOICE, Component, Persona
from trivium.generation.rows import Conversation, Job
from trivium.generation.sentences import clause, informative, thing, topic
from trivium.sample import Sample
from trivium.schema.generator import TemplateGenerator

MOST = 320
"""Characters of a sentence that is told."""


UNTOLD = "no sentence of the passage can stand alone"
"""Why nothing is written of some passages, all speech or fragments; it is counted, and no fault of what is written."""


class TemplateWriter:
    """Writes the conversation of any job, in any order; `attempts` counts the frames that were tried."""

    def __init__(
        self, config: TemplateGenerator, persona: Persona, components: Mapping[str, Component], verify: Verify
    ) -> None:
        self._config, self._persona, self._components, self._verify = config, persona, components, verify
        self.attempts = 0

    def conversation(self, job: Job, passage: Sample) -> Conversation:
        """A conversation that passes the checks; raises `BadRow`, the last attempt's, where none does."""
        bad = BadRow("nothing was tried")
        for attempt in range(self._config.checks.attempts):
            self.attempts += 1
            made = write(job, passage, self._persona, self._components[job.component], self._config.seed, attempt)
            problem = self._verify(made, passage)
            if problem is None:
                return made
            bad = problem
        raise bad


def write(job: Job, passage: Sample, persona: Persona, component: Component, seed: int, attempt: int = 0) -> Conversation:
    """One attempt at a job; it depends on the job, the passage, the seed and the attempt alone.

    A passage's conversations tell different sentences as long as it has them. Raises `BadRow` where the passage has none that
    can stand alone, or none that is about anything.
    """
    told = [(sentence, about) for sentence in informative(passage.text, MOST) if (about := topic(sentence)) is not None]
    if not told:
        raise BadRow(UNTOLD)
    Random(f"{seed}/{passage.id}").shuffle(told)
    sentence, about = told[(job.number + attempt) % len(told)]
    values = {**_known(passage), "topic": about, "sentence": sentence, "clause": clause(sentence)}
    if (noun := thing(sentence)) is not None:
        values["thing"] = noun
    rng = Random(f"{seed}/{job.key}/{attempt}")
    questions = anchored(component.questions, values, _known(passage))
    answers = fitting(component.answers, {*values, *VOICE})
    if not (questions and answers):
        raise BadRow("no frame fits what is known of the passage", f"known are {', '.join(values)}")
    question = fill(pick(questions, rng), values)
    answer = persona.voiced(pick(answers, rng), values, passage.metadata.get("themes", {}), rng)
    return Conversation(question, answer, fill(pick(fitting(persona.plain.answers, values), rng), values))


def _known(passage: Sample) -> dict[str, str]:
    """What is known of the work."""
    facts = {"title": passage.title, "author": passage.metadata.get("author"), "year": passage.year}
    return {name: str(value) for name, value in facts.items() if value}
