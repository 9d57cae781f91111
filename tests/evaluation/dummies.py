"""Respondents that know nothing and must fail every suite, and one that knows everything."""

import math
from collections.abc import Sequence

from trivium.evaluation import Reading
from trivium.evaluation.suites import Item
from trivium.sample import Sample

REFUSAL = "I cannot answer that."


class Dummy:
    """Scores all options alike, says nothing, and finds every byte equally surprising."""

    def choose(self, items: Sequence[Item]) -> list[list[float]]:
        return [[0.0] * len(item.options) for item in items]

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return [""] * len(items)

    def read(self, samples: Sequence[Sample]) -> list[Reading]:
        return [Reading(len(s.text) * math.log(256), len(s.text), len(s.text.encode())) for s in samples]


def prefer(indices: Sequence[int], items: Sequence[Item]) -> list[list[float]]:
    return [[float(i == chosen) for i in range(len(item.options))] for chosen, item in zip(indices, items, strict=True)]


class ConstantAnswer(Dummy):
    """The same words whatever is asked; prefers the option that looks most like them."""

    def choose(self, items: Sequence[Item]) -> list[list[float]]:
        return [[-float(abs(len(option.text) - 10)) for option in item.options] for item in items]

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return ["The answer is 412 kelvin."] * len(items)


class Echo(Dummy):
    """Repeats the prompt, and prefers options that stand in it."""

    def choose(self, items: Sequence[Item]) -> list[list[float]]:
        return [[float(option.text in item.prompt) for option in item.options] for item in items]

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return [item.prompt for item in items]


class EverythingAtOnce(Dummy):
    """Lists every option as its answer."""

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return ["; ".join(option.text for option in item.options) for item in items]


class AlwaysA(Dummy):
    """The first option shown."""

    def choose(self, items: Sequence[Item]) -> list[list[float]]:
        return prefer([0] * len(items), items)

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return [item.options[0].text for item in items]


class OldestSource(Dummy):
    """The option with the earliest source."""

    def choose(self, items: Sequence[Item]) -> list[list[float]]:
        return prefer([self.oldest(item) for item in items], items)

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return [item.options[self.oldest(item)].text for item in items]

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


class NotANumber(Dummy):
    """Broken weights."""

    def choose(self, items: Sequence[Item]) -> list[list[float]]:
        return [[math.nan] * len(item.options) for item in items]

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return ["no " * max_new_tokens] * len(items)


class Oracle(Dummy):
    """Knows the right option of everything, and finds low-authority documents less surprising."""

    def choose(self, items: Sequence[Item]) -> list[list[float]]:
        return prefer([item.right for item in items], items)

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        return [f"It is {item.answer}." for item in items]

    def read(self, samples: Sequence[Sample]) -> list[Reading]:
        ease = [2.0 if (s.authority or 0.0) < 0.3 else 1.0 for s in samples]
        return [Reading(len(s.text) * 3 / e, len(s.text), len(s.text.encode())) for s, e in zip(samples, ease, strict=True)]


DUMMIES = (Dummy, ConstantAnswer, Echo, EverythingAtOnce, AlwaysA, OldestSource, Refuses, NotANumber)
