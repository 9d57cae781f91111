"""Does the answer say what the reference says, and nothing against it or against itself? Needs models of meaning."""

from collections.abc import Sequence
from itertools import combinations
from typing import TypeVar

import numpy as np

from trivium.sample import Sample
from trivium.scores.ask import Asking, Embed, Entail, Entailment, Vector
from trivium.scores.completion import Completion
from trivium.scores.lexicon import Lexicon, load
from trivium.scores.words import LONGEST, asserting, contents, is_prose, plain, sentences, spread, windows, words

T = TypeVar("T")

_SENTENCE = 60
"""Words of a sentence that is judged as one; a longer one is cut."""


def semantic_similarity(
    completion: Completion,
    sample: Sample,
    *,
    less_echo: bool = True,
    enough: float = 1.0,
    window_words: int = 120,
    max_windows: int = 6,
) -> Asking:
    """The cosine of the answer to the reference, from −1 to 1; None without a reference, −1 for an empty answer.

    A long text is embedded in windows and stands for their mean, so that a wrong tail is seen. With `less_echo` the cosine is
    put on a scale on which the question itself is worth 0 and the reference 1: repeating the question earns nothing. `enough`
    is the cosine from which the score is 1: below 1, answers that are merely alike are paid in full.
    """
    if not words(sample.reference or ""):
        return None
    texts = [completion.answer, sample.reference or "", sample.question if less_echo else ""]
    cut = [[Embed(window) for window in _windows(sentences(text), window_words, max_windows)] for text in texts]
    if not cut[0]:
        return -1.0
    found: list[Vector] = yield [question for part in cut for question in part]
    answer, reference, question = (_mean(vectors) for vectors in _split(found, [len(part) for part in cut]))
    near = float(answer @ reference)
    if cut[2]:
        echo = float(question @ reference)
        near = (near - echo) / max(0.25, 1 - echo)
    return float(np.clip(near / max(enough, 1e-9), -1, 1))


def nli_coherence(
    completion: Completion,
    sample: Sample,
    *,
    window_words: int = 100,
    max_windows: int = 3,
    max_sentences: int = 10,
    coverage: float = 0.5,
    worst: float = 1.0,
) -> Asking:
    """How far answer and reference entail each other, from −1 to 1; None without a reference, −1 for an empty answer.

    Each sentence of the answer is held against windows of the reference, and each of the reference's against windows of the
    answer; `coverage` is the weight of the latter. A sentence has p(entailment) of the window that supports it best less what
    is left of the highest p(contradiction). `worst` is how far the one worst contradiction pulls the mean of the sentences to
    −1. Questions neither support nor are supported. Of more sentences and windows than the most, an even choice is read.
    """
    reference = asserting(sample.reference or "") or sentences(sample.reference or "")
    if not reference:
        return None
    if not words(completion.answer):
        return -1.0
    answer = asserting(completion.answer)
    if not answer:
        return 0.0
    asked = [
        _questions(side, other, window_words=window_words, max_windows=max_windows, max_sentences=max_sentences)
        for side, other in ((answer, reference), (reference, answer))
    ]
    found = yield [question for side in asked for question in side]
    sides = _split(found, [len(side) for side in asked])
    judged = [_judged(questions, answers) for questions, answers in zip(asked, sides, strict=True)]
    supported, covered = (float(np.mean([held - against for held, against in side])) for side in judged)
    mean = (1 - coverage) * supported + coverage * covered
    conflict = worst * max(against for side in judged for _, against in side)
    return float(np.clip(mean - conflict * (1 + mean), -1, 1))


def self_consistency(completion: Completion, sample: Sample, *, max_pairs: int = 12, lexicon: str = "general") -> Asking:
    """One less the worst p(contradiction) between two sentences of the answer, from 0 to 1; 0 for an empty answer.

    Neighbours are compared, and sentences far apart that share content words, those with the most of them first, `max_pairs` in
    all. None for an answer of a single sentence: there is nothing that it could contradict, which is no merit.
    """
    if not words(completion.answer):
        return 0.0
    known = load(lexicon)
    prose = [sentence for sentence in asserting(completion.answer) if len(words(sentence)) > 2 and is_prose(sentence, known)]
    told = [cut for sentence in prose for cut in windows([sentence], _SENTENCE)]
    pairs = _pairs(spread(told, 60), known)[:max_pairs]
    if not pairs:
        return None
    found: list[Entailment] = yield [Entail(*order) for one, other in pairs for order in ((one, other), (other, one))]
    return 1 - max(min(one.contradict, other.contradict) for one, other in zip(found[::2], found[1::2], strict=True))


def _pairs(told: Sequence[str], known: Lexicon) -> list[tuple[str, str]]:
    """Pairs of sentences in the order in which it is worth comparing them."""
    held = [set(contents(sentence, known)) for sentence in told]
    near = [(i, j) for i, j in combinations(range(len(told)), 2) if j == i + 1 or held[i] & held[j]]
    near.sort(key=lambda pair: (-len(held[pair[0]] & held[pair[1]]), pair[1] - pair[0]))
    return [(told[i], told[j]) for i, j in near]


def _questions(
    side: Sequence[str], other: Sequence[str], *, window_words: int, max_windows: int, max_sentences: int
) -> list[Entail]:
    """Each sentence of one side as a hypothesis, after the windows of the other and after the other's sentence likest to it."""
    premises = _windows(other, window_words, max_windows)
    singles = _windows(other, _SENTENCE, LONGEST, whole=False)
    held = [set(words(single)) for single in singles]
    found: list[Entail] = []
    for sentence in _windows(side, _SENTENCE, max_sentences, whole=False):
        said = set(words(sentence))
        likest = max(range(len(singles)), key=lambda i: len(held[i] & said) / len(held[i] | said))
        found += [Entail(premise, sentence) for premise in dict.fromkeys([*premises, singles[likest]])]
    return found


def _judged(questions: Sequence[Entail], answers: Sequence[Entailment]) -> list[tuple[float, float]]:
    """For each hypothesis how well it is supported, and how far it is contradicted."""
    by_sentence: dict[str, list[Entailment]] = {}
    for question, answer in zip(questions, answers, strict=True):
        by_sentence.setdefault(question.hypothesis, []).append(answer)
    held = [max(answer.entail for answer in found) for found in by_sentence.values()]
    against = [max(answer.contradict for answer in found) for found in by_sentence.values()]
    return [(h, min(c, 1 - h)) for h, c in zip(held, against, strict=True)]


def _windows(parts: Sequence[str], size: int, most: int, whole: bool = True) -> list[str]:
    """At most so many windows, evenly over the text; each sentence its own one unless they are put together as a `whole`."""
    cut = windows(parts, size) if whole else [window for part in parts for window in windows([part], size)]
    return spread([plain(window) for window in cut], most)


def _split(found: Sequence[T], sizes: Sequence[int]) -> list[Sequence[T]]:
    ends = np.cumsum(sizes).tolist()
    return [found[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def _mean(vectors: Sequence[Vector]) -> Vector:
    """The direction of the mean of some vectors (D,); zeros for none."""
    if not len(vectors):
        return np.zeros(1, np.float32)
    mean: Vector = np.mean(vectors, axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-9)
