"""Was an evaluation prompt seen in training? Exact copies, shared runs of words, and similar sets of words."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from trivium.schema import ContaminationConfig

_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Japanese and Chinese, written without spaces: each sign counts as a word."""

_WORD = re.compile(rf"[{_IDEOGRAPHS}]|[^\W{_IDEOGRAPHS}]+")
_STRENGTH = {"exact": 2, "ngram": 1, "jaccard": 0}
_SHORTEST = 3
"""Words of the shortest prompt that is looked for as a whole."""

Gram = tuple[str, ...]


class Hit(NamedTuple):
    """A prompt found in a training row: index of the prompt, how, index of the row, and how much.

    `value` is 1 for an exact copy, the share of the prompt's n-grams that the row holds, or the Jaccard similarity.
    """

    prompt: int
    kind: str
    row: int
    value: float


def scan(prompts: list[str], rows: Iterable[str], config: ContaminationConfig) -> list[Hit]:
    """The strongest hit of each prompt that has one, by prompt; rows are streamed.

    Words are compared in lower case without punctuation. exact: the row holds the whole prompt, word for word; ngram: they
    share `config.ngram` words in a row; jaccard: their sets of words have at least that similarity. Exact outdoes ngram, and
    that jaccard; of equal hits the first row's stands.
    """
    index, best = _Index(prompts, config), dict[int, Hit]()
    for number, row in enumerate(rows):
        for hit in index.hits(number, words_of(row)):
            if hit.prompt not in best or _rank(hit) > _rank(best[hit.prompt]):
                best[hit.prompt] = hit
    return [best[prompt] for prompt in sorted(best)]


class _Index:
    """The prompts by their n-grams and by their rarest words."""

    def __init__(self, prompts: list[str], config: ContaminationConfig) -> None:
        self._size, self._least = config.ngram, config.jaccard
        self._words = [words_of(prompt) for prompt in prompts]
        self._sets = [set(words) for words in self._words]
        self._grams: dict[Gram, list[int]] = defaultdict(list)
        for prompt, words in enumerate(self._words):
            for gram in set(_grams(words, min(self._size, len(words)))) if len(words) >= _SHORTEST else ():
                self._grams[gram].append(prompt)
        self._lengths = sorted({len(gram) for gram in self._grams})
        self._vocabulary = {word for words in self._sets for word in words}
        self._rare = self._rarest()
        sizes = [len(words) for words in self._sets if words] or [0]
        self._smallest, self._largest = min(sizes) * self._least, max(sizes) / self._least

    def hits(self, number: int, row: list[str]) -> Iterator[Hit]:
        """What one row shows."""
        shared: Counter[int] = Counter()
        for gram in self._known_grams(row):
            shared.update(self._grams.get(gram, ()))
        for prompt, count in shared.items():
            words = self._words[prompt]
            if _holds(row, words):
                yield Hit(prompt, "exact", number, 1.0)
            elif len(words) > self._size:
                yield Hit(prompt, "ngram", number, count / len(set(_grams(words, self._size))))
        yield from self._similar(number, set(row))

    def _known_grams(self, row: list[str]) -> set[Gram]:
        """The row's n-grams made of prompts' words only: most rows have none."""
        found: set[Gram] = set()
        shortest = self._lengths[0] if self._lengths else len(row) + 1
        start = 0
        for end, word in enumerate([*row, ""]):
            if word in self._vocabulary:
                continue
            if end - start >= shortest:
                run = row[start:end]
                found.update(gram for size in self._lengths for gram in _grams(run, size))
            start = end + 1
        return found

    def _similar(self, number: int, row: set[str]) -> Iterator[Hit]:
        if not self._smallest <= len(row) <= self._largest:
            return
        candidates = {prompt for word in row for prompt in self._rare.get(word, ())}
        for prompt in sorted(candidates):
            common = len(row & self._sets[prompt])
            value = common / (len(row) + len(self._sets[prompt]) - common)
            if value >= self._least:
                yield Hit(prompt, "jaccard", number, value)

    def _rarest(self) -> dict[str, list[int]]:
        """Words under which a prompt is looked up: so many of its rarest that every similar enough row has one of them."""
        often = Counter(word for words in self._sets for word in words)
        found: dict[str, list[int]] = defaultdict(list)
        for prompt, words in enumerate(self._sets):
            needed = len(words) - math.ceil(self._least * len(words) - 1e-9) + 1
            for word in sorted(words, key=lambda word: (often[word], word))[:needed]:
                found[word].append(prompt)
        return found


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation; a Chinese or Japanese sign is a word."""
    return _WORD.findall(text.lower())


def _grams(words: list[str], size: int) -> Iterator[Gram]:
    return (tuple(words[start : start + size]) for start in range(len(words) - size + 1))


def _holds(row: list[str], words: list[str]) -> bool:
    """Whether the row has these words one after another."""
    return any(row[at] == words[0] and row[at : at + len(words)] == words for at in range(len(row) - len(words) + 1))


def _rank(hit: Hit) -> tuple[int, float]:
    return _STRENGTH[hit.kind], hit.value
