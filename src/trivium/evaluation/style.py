"""Style consistency: a classifier that is trained on held-out answers and cannot see the words that training is checked by.

Characters and words in runs, weighted by rarity, into a logistic regression. Markers and theme words are masked, and ordinary
answers with such words strewn into them stand among the counter-examples, so that counting keywords wins nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from trivium.evaluation.earnest import earnest
from trivium.evaluation.voice import Voice
from trivium.sample import Sample
from trivium.scores.words import sentences, words

ORDINARY = Path(__file__).parents[1] / "data" / "library" / "ordinary.txt"
"""Everyday modern prose, a paragraph each."""

FEWEST = 8
"""Answers in the persona's style without which no judge is trained."""

_MOST, _LONGEST, _FOLDS, _SEED = 400, 1200, 5, 0
"""Answers taken of each kind, characters read of each, parts of the cross-validation, and the seed of all that is drawn."""
_MOST_DECLINED = 0.5
"""The share of answers that may decline before none of those counts."""
_FEWEST_WORDS = 3
"""Words beside keywords that an answer in style has."""
_COUNTER = 3
"""Counter-examples for each answer in style, all kinds together."""


class Example(NamedTuple):
    """A text, whether it is in the persona's style, and what it was made from: examples of one group are never parted.

    `matched` counter-examples say the same as an answer in style, in another voice.
    """

    text: str
    persona: bool
    group: str
    matched: bool = False


@dataclass
class StyleJudge:
    """Tells a persona's answers from ordinary ones.

    `checks` holds for the examples by number whether they were told rightly while they were held out of training: the judge's
    accuracy, on as many counter-examples as examples, of those that say the same where there are any.
    """

    voice: Voice
    features: Any
    model: Any
    checks: dict[str, float] = field(default_factory=dict)

    def in_style(self, texts: Sequence[str]) -> list[bool]:
        """Whether each text is in the persona's style; one of hardly more than keywords is not."""
        if not texts:
            return []
        masked = [self.voice.mask(text[:_LONGEST]) for text in texts]
        styled = self.model.predict(self.features.transform(masked))
        return [bool(found) and len(words(text)) >= _FEWEST_WORDS for found, text in zip(styled, masked, strict=True)]

    def consistent(self, questions: Sequence[str], answers: Sequence[str]) -> list[bool]:
        """Whether each text is in style and an answer of its own; where most answers decline, those that do are none."""
        declined = [self.voice.declined(answer) for answer in answers]
        refuses = sum(declined) > _MOST_DECLINED * len(answers)
        judged = zip(earnest(questions, answers), self.in_style(answers), declined, strict=True)
        return [own and styled and not (refuses and declines) for own, styled, declines in judged]

    def values(self, questions: Sequence[str], answers: Sequence[str]) -> dict[str, list[float | None]]:
        """`style_consistency`: in style, and an answer of its own. `keyword_share`: two or more markers or theme words, which
        can be had by strewing them in.
        """
        return {
            "style_consistency": [float(fine) for fine in self.consistent(questions, answers)],
            "keyword_share": [float(len(self.voice.keywords(answer)) >= 2) for answer in answers],
        }


def train(
    rows: Sequence[Sample], general: Sequence[Sample], voice: Voice, passages: Mapping[str, str] | None = None
) -> StyleJudge | None:
    """A judge from held-out rows of the persona, the passages that they are about (texts by id), and ordinary conversations;
    None where there are too few to learn from.
    """
    found = examples(rows, general, voice, passages or {})
    spoken = sum(example.persona for example in found)
    if spoken < FEWEST or len(found) == spoken:
        return None
    features = _features()
    matrix = features.fit_transform([voice.mask(example.text[:_LONGEST]) for example in found])
    labels = [example.persona for example in found]
    return StyleJudge(voice, features, _classifier().fit(matrix, labels), _checks(matrix, found))


def examples(rows: Sequence[Sample], general: Sequence[Sample], voice: Voice, passages: Mapping[str, str]) -> list[Example]:
    """Answers in style, and what is not: the same answers in ordinary words, what the passages say of the same, ordinary
    answers and prose; all of these with keywords strewn in; and lists of keywords.
    """
    rng = Random(_SEED)
    rows = _drawn(rows, _MOST, rng)
    spoken = [Example(_answer(row), True, _source(row)) for row in rows]
    plain = [Example(text, False, _source(row), True) for row in rows for text in _ordinary_versions(row)]
    told = [Example(text, False, _source(row), True) for row in rows for text in _told(row, passages)]
    others = [Example(_answer(row), False, _source(row)) for row in general]
    others += [Example(text, False, f"ordinary {i}") for i, text in enumerate(_paragraphs())]
    kinds = [kind for kind in (plain, told, others) if kind]
    most = max(1, _COUNTER * len(spoken) // (2 * max(1, len(kinds))))
    counter = [example for kind in kinds for example in _drawn(kind, most, rng)]
    counter += [strewn(example, voice, rng) for kind in kinds for example in _drawn(kind, most, rng)]
    counter += [Example(text, False, f"list {i}") for i, text in enumerate(_lists(voice, rng, 1 + len(spoken) // 4))]
    return [example for example in spoken + counter if example.text.strip()]


def strewn(example: Example, voice: Voice, rng: Random) -> Example:
    """An example with some of the voice's markers and theme words put between its words."""
    said = example.text.split()
    for keyword in _keywords(voice, rng, rng.randint(1, 4)):
        said.insert(rng.randint(0, len(said)), rng.choice([keyword, f"{keyword},", f"{keyword}."]))
    return Example(" ".join(said), False, example.group)


def _keywords(voice: Voice, rng: Random, count: int) -> list[str]:
    """Markers, and now and then a theme word."""
    pools = [pool for pool in (voice.markers, voice.markers, voice.themes) if pool]
    return [rng.choice(rng.choice(pools)) for _ in range(count)] if pools else []


def _lists(voice: Voice, rng: Random, count: int) -> Iterator[str]:
    for _ in range(count):
        yield rng.choice([", ", " ", ". "]).join(_keywords(voice, rng, rng.randint(3, 8)))


def _ordinary_versions(row: Sample) -> Iterator[str]:
    """The same answer in ordinary words, and what both have in common: the matter without any frame."""
    plain = row.metadata.get("plain")
    if not plain:
        return
    yield str(plain)
    voiced, ordinary = _answer(row).split(), str(plain).split()
    match = SequenceMatcher(None, voiced, ordinary, autojunk=False).find_longest_match()
    if match.size >= 4:
        yield " ".join(voiced[match.a : match.a + match.size])


def _told(row: Sample, passages: Mapping[str, str]) -> Iterator[str]:
    """The sentence of the row's passage that has most in common with the answer: the same matter in another voice."""
    said = set(words(_answer(row)))
    told = sentences(passages.get(str(row.metadata.get("passage")), ""))
    if told:
        yield max(told, key=lambda sentence: len(said & set(words(sentence))))


def _source(row: Sample) -> str:
    return str(row.metadata.get("passage") or row.id)


def _answer(row: Sample) -> str:
    return row.reference or row.text


def _paragraphs() -> list[str]:
    if not ORDINARY.is_file():
        return []
    return [part.strip() for part in ORDINARY.read_text(encoding="utf-8").split("\n\n") if part.strip()]


def _drawn(items: Sequence[Any], most: int, rng: Random) -> list[Any]:
    return list(items) if len(items) <= most else rng.sample(list(items), most)


def _features() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]
    from sklearn.pipeline import FeatureUnion  # type: ignore[import-untyped]

    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, max_features=30_000)
    spoken = TfidfVectorizer(token_pattern=r"[^\W_]+|[^\w\s]", ngram_range=(1, 2), sublinear_tf=True, max_features=30_000)
    return FeatureUnion([("characters", characters), ("words", spoken)])


def _classifier() -> Any:
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    return LogisticRegression(C=10.0, class_weight="balanced", random_state=_SEED, max_iter=200)


def _checks(matrix: Any, found: Sequence[Example]) -> dict[str, float]:
    """Whether examples are told rightly by a judge that has seen none of their group."""
    from sklearn.model_selection import GroupKFold, cross_val_predict  # type: ignore[import-untyped]

    labels, groups = [example.persona for example in found], [example.group for example in found]
    told = cross_val_predict(_classifier(), matrix, labels, groups=groups, cv=GroupKFold(min(_FOLDS, len(set(groups)))))
    spoken = [i for i, example in enumerate(found) if example.persona]
    counter = [i for i, example in enumerate(found) if example.matched] or [i for i, label in enumerate(labels) if not label]
    kept = sorted(spoken + _drawn(counter, len(spoken), Random(_SEED)))
    return {f"{i:05d}": float(told[i] == labels[i]) for i in kept}
