"""Was an evaluation prompt seen in training? Exact copies, shared word n-grams, and word-set similarity."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from trivium.schema import ContaminationConfig

_WORD = re.compile(r"\w+")


class Hit(NamedTuple):
    """A prompt found in a training row: the prompt's index, how (exact, ngram, jaccard), the row's index, the similarity."""

    prompt: int
    kind: str
    row: int
    value: float


def scan(prompts: list[str], rows: Iterable[str], config: ContaminationConfig) -> list[Hit]:
    """At most one hit a prompt, the first row that shows it; rows are streamed."""
    words = [_WORD.findall(prompt.lower()) for prompt in prompts]
    grams = _index(words, config.ngram)
    members = _members(words)
    hits: dict[int, Hit] = {}
    for number, row in enumerate(rows):
        for hit in _hits_of(number, _WORD.findall(row.lower()), words, grams, members, config):
            hits.setdefault(hit.prompt, hit)
    return [hits[index] for index in sorted(hits)]


def _hits_of(
    number: int,
    row: list[str],
    words: list[list[str]],
    grams: dict[tuple[str, ...], list[int]],
    members: dict[str, list[int]],
    config: ContaminationConfig,
) -> Iterable[Hit]:
    size = config.ngram
    for start in range(len(row) - size + 1):
        for prompt in grams.get(tuple(row[start : start + size]), ()):
            yield Hit(prompt, "exact" if words[prompt] == row else "ngram", number, 1.0)
    vocabulary = set(row)
    shared: dict[int, int] = defaultdict(int)
    for word in vocabulary & members.keys():
        for prompt in members[word]:
            shared[prompt] += 1
    for prompt, common in shared.items():
        value = common / (len(vocabulary) + len(set(words[prompt])) - common)
        if value >= config.jaccard:
            yield Hit(prompt, "exact" if words[prompt] == row else "jaccard", number, value)


def _index(words: list[list[str]], size: int) -> dict[tuple[str, ...], list[int]]:
    found: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for prompt, tokens in enumerate(words):
        for start in range(len(tokens) - size + 1):
            found[tuple(tokens[start : start + size])].append(prompt)
    return found


def _members(words: list[list[str]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for prompt, tokens in enumerate(words):
        for word in set(tokens):
            found[word].append(prompt)
    return found
