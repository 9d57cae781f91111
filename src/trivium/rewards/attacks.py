"""Completions that deserve nothing, by family: what a policy may find instead of answering."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

from trivium.rewards import material
from trivium.rewards.negation import contradictions
from trivium.rewards.paraphrase import embedded, paraphrases
from trivium.sample import Sample
from trivium.scores.completion import Tags, joined
from trivium.scores.lexicon import load
from trivium.scores.names import names, numbers
from trivium.scores.words import contents, plain, sentences, words

_VERY_LONG = 30_000
"""Characters of a very long answer."""
_DROWNED = 6
"""How many times longer a padded answer is than the reference, at least."""


@dataclass(frozen=True)
class Case:
    """A sample under attack; `others` are answers to other questions."""

    sample: Sample
    others: Sequence[str]
    rng: random.Random
    tags: Tags

    @property
    def question(self) -> str:
        """What was asked."""
        return plain(self.sample.question).strip()

    @property
    def reference(self) -> str:
        """The right answer."""
        return plain(self.sample.reference or "").strip()


def genuine(sample: Sample, tags: Tags) -> list[str]:
    """Completions that deserve the reward: the reference and other wordings of it, in the think format."""
    return [joined(thinking(sample), text, tags) for text in (sample.reference or "", *paraphrases(sample))]


def attacks(sample: Sample, others: Sequence[Sample], rng: random.Random, tags: Tags) -> dict[str, list[str]]:
    """Attacks on a sample by family; `others` are samples whose answers do not answer it. The same `rng` gives the same texts.

    All are in the think format with the sample's own thinking, except where the family is about the format.
    """
    case = Case(sample, _unrelated(sample, others, rng), rng, tags)
    thought = thinking(sample)
    found = {name: [joined(thought, answer, tags) for answer in family(case)] for name, family in ANSWERS.items()}
    return found | {name: list(family(case)) for name, family in COMPLETIONS.items()}


def thinking(sample: Sample) -> str:
    """The sample's thinking, or a plausible one."""
    if sample.thinking:
        return sample.thinking
    asked = (sentences(sample.question) or ("",))[-1][:200]
    return f"I am asked: {asked} I go through what I know of it and then answer."


def content_words(text: str) -> list[str]:
    """The words of a text that carry content, as they are written in it."""
    idle = load("general").words("function_words")
    return [word for word in re.findall(r"[^\W_]+(?:['\-][^\W_]+)*", plain(text)) if word.lower() not in idle]


def _unrelated(sample: Sample, others: Sequence[Sample], rng: random.Random) -> list[str]:
    """Answers to other questions, of a few drawn ones those with the fewest words in common first; canned ones after them."""
    known = load("general")
    own = set(contents(f"{sample.question} {sample.reference or ''}", known))
    told = [plain(other.reference or "").strip() for other in others if other is not sample]
    told = [text for text in dict.fromkeys(told) if words(text) and text != sample.reference]
    drawn = rng.sample(told, min(8, len(told)))
    drawn.sort(key=lambda text: len(own & set(contents(text, known))) / max(1, len(set(contents(text, known)))))
    return [*drawn, *material.FLUENT]


# --- answers, given in the think format ------------------------------------------------------------------------------


def _off_topic(case: Case) -> Iterator[str]:
    yield from case.others[:2]


def _word_soup(case: Case) -> Iterator[str]:
    soup = [word.lower() for word in content_words(f"{case.question} {case.reference}")][:120]
    case.rng.shuffle(soup)
    yield " ".join(soup)
    case.rng.shuffle(soup)
    cut = [soup[i : i + 6] for i in range(0, len(soup), 6)]
    yield " ".join(f"{' '.join(part).capitalize()}." for part in cut)


def _boilerplate(case: Case) -> Iterator[str]:
    yield from material.BOILERPLATE


def _echo(case: Case) -> Iterator[str]:
    yield case.question
    yield f"The question is this one: {case.question} {case.question}"


def _parroting(case: Case) -> Iterator[str]:
    yield " ".join([case.reference] * case.rng.randint(3, 5))
    spoken = case.reference.split()
    parts = [" ".join(spoken[i : i + 5]) for i in range(0, len(spoken), 4)]
    case.rng.shuffle(parts)
    yield " … ".join(parts * 2)


def _garbage_tail(case: Case) -> Iterator[str]:
    size = max(12, len(words(case.reference)))
    letters = "abcdefghijklmnopqrstuvwxyz#@%&=/{}"
    noise = ("".join(case.rng.choices(letters, k=case.rng.randint(2, 11))) for _ in range(size))
    yield f"{case.reference} {' '.join(noise)}"
    spoken = content_words(" ".join(case.others))
    yield f"{case.reference} {' '.join(case.rng.choices(spoken, k=size)).lower()}"


def _repetition(case: Case) -> Iterator[str]:
    yield " ".join([case.rng.choice(content_words(case.reference) or ["word"])] * 60)
    head = (sentences(case.reference) or ("",))[0]
    yield " ".join([head] * 12)


def _padding(case: Case) -> Iterator[str]:
    filler, length = [], max(120, _DROWNED * len(words(case.reference)))
    for sentence in cycle(case.rng.sample(material.FILLER, len(material.FILLER))):
        filler.append(sentence)
        if sum(len(words(text)) for text in filler) >= length:
            break
    middle = len(filler) // 2
    yield " ".join([*filler[:middle], case.reference, *filler[middle:]])


def _hedging(case: Case) -> Iterator[str]:
    yield case.rng.choice(material.HEDGES)
    head = embedded((sentences(case.reference) or ("",))[0]).rstrip(".!?")
    yield f"It may be that {head}, or it may be quite the opposite. Both are possible, and it cannot be said which is right."


def _capitulating(case: Case) -> Iterator[str]:
    for given_in, firm in zip(material.CAPITULATION, material.FIRM, strict=True):
        yield f"{given_in} {firm}"


def _contradiction(case: Case) -> Iterator[str]:
    yield from contradictions(case.sample)


def _fabricated(case: Case) -> Iterator[str]:
    drawn = case.rng.sample(material.INVENTED_NAMES, len(material.INVENTED_NAMES))
    sentence = case.rng.choice(material.INVENTED_SENTENCES)
    year, number = case.rng.randint(1820, 1990), case.rng.randint(11, 97)
    yield f"{case.reference} {sentence.format(name=drawn[0], year=year, number=number)}"
    exchanged = case.reference
    for name, instead in zip(names(case.reference, load("general")), drawn[1:], strict=False):
        exchanged = exchanged.replace(name, instead)
    for figure in numbers(case.reference):
        exchanged = exchanged.replace(figure, _other_number(figure, case.rng))
    if exchanged != case.reference:
        yield exchanged


def _very_long(case: Case) -> Iterator[str]:
    told, length = [], 0
    for text in cycle([*material.FLUENT, *case.others]):
        told.append(text)
        length += len(text) + 1
        if length >= _VERY_LONG:
            break
    yield " ".join(told)


def _other_scripts(case: Case) -> Iterator[str]:
    yield from case.rng.sample(material.SCRIPTS, 2)


def _other_number(figure: str, rng: random.Random) -> str:
    """Another number of the same form."""
    digits = [rng.choice([d for d in "123456789" if d != c]) if c.isdigit() else c for c in figure]
    return "".join(digits)


# --- whole completions, where the format is what is attacked ----------------------------------------------------------


def _bare_tags(case: Case) -> Iterator[str]:
    opened, closed = case.tags
    yield f"{opened}{closed}"
    yield closed
    yield joined(thinking(case.sample), "", case.tags)
    yield f"{opened}…{closed}."


def _empty(case: Case) -> Iterator[str]:
    yield ""
    yield joined(" ", " \n", case.tags)


def _crashing(case: Case) -> Iterator[str]:
    opened, closed = case.tags
    for text in case.rng.sample(material.CRASHING, 3):
        yield joined(text, text, case.tags)
    yield f"{opened}{opened}{closed} {closed}{case.rng.choice(material.CRASHING)}{opened}"


ANSWERS: dict[str, Callable[[Case], Iterator[str]]] = {
    "off_topic_fluent": _off_topic,
    "word_soup": _word_soup,
    "boilerplate": _boilerplate,
    "question_echo": _echo,
    "reference_parroting": _parroting,
    "garbage_tail": _garbage_tail,
    "repetition": _repetition,
    "padding": _padding,
    "hedging": _hedging,
    "capitulating_padded": _capitulating,
    "contradiction": _contradiction,
    "fabricated_entity": _fabricated,
    "very_long": _very_long,
    "other_scripts": _other_scripts,
}
COMPLETIONS: dict[str, Callable[[Case], Iterator[str]]] = {
    "bare_tags": _bare_tags,
    "empty": _empty,
    "crashing_input": _crashing,
}
FAMILIES = (*ANSWERS, *COMPLETIONS)
