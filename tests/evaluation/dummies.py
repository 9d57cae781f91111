"""Respondents that know nothing and must fail every suite, and one that knows everything."""

import math
from collections.abc import Sequence

from trivium.data.logic_world import PROPERTIES
from trivium.evaluation import Reading
from trivium.evaluation.suites import Item
from trivium.sample import Sample
from trivium.scores.completion import joined

REFUSAL = "I cannot answer that."


class Dummy:
    """Scores all options alike, says nothing, and finds every byte equally surprising."""

    def choose(self, items: Sequence[Item]) -> list[list[float]]:
        return [[0.0] * len(item.options) for item in items]

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return [""] * len(items)

    def complete(self, samples: Sequence[Sample], max_new_tokens: int) -> list[str]:
        return [""] * len(samples)

    def read(self, samples: Sequence[Sample]) -> list[Reading]:
        return [Reading(len(s.text) * math.log(256), len(s.text), len(s.text.encode())) for s in samples]


def thought(answers: Sequence[str]) -> list[str]:
    """Answers in the think format, kept to perfection."""
    return [joined("Let me recall what is known of it.", answer) for answer in answers]


def prefer(indices: Sequence[int], items: Sequence[Item]) -> list[list[float]]:
    return [[float(i == chosen) for i in range(len(item.options))] for chosen, item in zip(indices, items, strict=True)]


class ConstantAnswer(Dummy):
    """The same words whatever is asked; prefers the option that looks most like them."""

    def choose(self, items: Sequence[Item]) -> list[list[float]]:
        return [[-float(abs(len(option.text) - 10)) for option in item.options] for item in items]

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return ["The answer is 412 kelvin."] * len(items)

    def complete(self, samples: Sequence[Sample], max_new_tokens: int) -> list[str]:
        return thought(["Yes, Zari carries heat, because Zari is a metal and a metal always carries heat."] * len(samples))


class Echo(Dummy):
    """Repeats the prompt, and prefers options that stand in it."""

    def choose(self, items: Sequence[Item]) -> list[list[float]]:
        return [[float(option.text in item.prompt) for option in item.options] for item in items]

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return [item.prompt for item in items]

    def complete(self, samples: Sequence[Sample], max_new_tokens: int) -> list[str]:
        return thought([sample.question for sample in samples])


class EverythingAtOnce(Dummy):
    """Lists every option as its answer, and states what must be stated together with what must not."""

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return ["; ".join(option.text for option in item.options) or everything(item) for item in items]

    def complete(self, samples: Sequence[Sample], max_new_tokens: int) -> list[str]:
        both = [[*sample.metadata["facts"], *sample.metadata["contradictions"]] for sample in samples]
        return thought([". ".join(str(phrase) for phrase in phrases) + "." for phrases in both])


def everything(item: Item) -> str:
    """All wordings of an item's facts, and what an answer must avoid, as statements."""
    return " ".join(f"One may say that {text}." for text in (*(word for fact in item.facts for word in fact), *item.avoids))


class WordSoup(Dummy):
    """The words that any right answer may hold, in no sentence; for questions, the words of all references."""

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return [" ".join(sorted({word for item in items for fact in item.facts for word in fact}))] * len(items)

    def complete(self, samples: Sequence[Sample], max_new_tokens: int) -> list[str]:
        words = sorted({word for sample in samples for word in (sample.reference or "").split()})
        return thought([" ".join(words)] * len(samples))


class AlwaysYes(Dummy):
    """Affirms whatever is asked, in a whole sentence and with a reason of its own."""

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return [f"Yes, it is as the question says: {item.prompt}" for item in items]

    def complete(self, samples: Sequence[Sample], max_new_tokens: int) -> list[str]:
        return thought([self.affirmed(sample.question) for sample in samples])

    @staticmethod
    def affirmed(question: str) -> str:
        _, name, asked = question.rstrip("?").split(" ", 2)
        does = next(known.does for known in PROPERTIES if known.do == asked)
        return f"Yes, {name} {does}, because {name} is a metal and a metal always {does}."


class AlwaysA(Dummy):
    """The first option shown."""

    def choose(self, items: Sequence[Item]) -> list[list[float]]:
        return prefer([0] * len(items), items)

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return [item.options[0].text if item.options else "" for item in items]


class OldestSource(Dummy):
    """The option with the earliest source."""

    def choose(self, items: Sequence[Item]) -> list[list[float]]:
        return prefer([self.oldest(item) for item in items], items)

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return [item.options[self.oldest(item)].text if item.options else "" for item in items]

    @staticmethod
    def oldest(item: Item) -> int:
        years = [option.year if option.year is not None else 9999 for option in item.options]
        return years.index(min(years))


class Refuses(Dummy):
    """Declines, and gives every option no chance."""

    def choose(self, items: Sequence[Item]) -> list[list[float]]:
        return [[-math.inf] * len(item.options) for item in items]

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return [REFUSAL] * len(items)

    def complete(self, samples: Sequence[Sample], max_new_tokens: int) -> list[str]:
        return thought([REFUSAL] * len(samples))


class NotANumber(Dummy):
    """Broken weights."""

    def choose(self, items: Sequence[Item]) -> list[list[float]]:
        return [[math.nan] * len(item.options) for item in items]

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return ["no " * max_new_tokens] * len(items)

    def complete(self, samples: Sequence[Sample], max_new_tokens: int) -> list[str]:
        return ["no " * max_new_tokens] * len(samples)


class Oracle(Dummy):
    """Knows the right option of everything, and finds low-authority documents less surprising."""

    def choose(self, items: Sequence[Item]) -> list[list[float]]:
        return prefer([item.right for item in items], items)

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return [f"It is {item.answer}." if item.options else stated(item) for item in items]

    def complete(self, samples: Sequence[Sample], max_new_tokens: int) -> list[str]:
        return thought([sample.reference or "" for sample in samples])

    def read(self, samples: Sequence[Sample]) -> list[Reading]:
        ease = [2.0 if (s.authority or 0.0) < 0.3 else 1.0 for s in samples]
        return [Reading(len(s.text) * 3 / e, len(s.text), len(s.text.encode())) for s, e in zip(samples, ease, strict=True)]


def stated(item: Item) -> str:
    """One wording of each of an item's facts, each in a sentence."""
    return " ".join(f"An informed answer would speak of this: {fact[0]}." for fact in item.facts)


DUMMIES = (
    Dummy,
    ConstantAnswer,
    Echo,
    EverythingAtOnce,
    WordSoup,
    AlwaysYes,
    AlwaysA,
    OldestSource,
    Refuses,
    NotANumber,
)
