"""Relevance: nearness to the themes' anchors, by any scorer of embeddings."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from trivium.data.library import relevance
from trivium.data.library.relevance import Relevance
from trivium.data.library.themes import Lexicon, load
from trivium.errors import ConfigError, ModelError
from trivium.schema.library import RelevanceConfig
from trivium.scores.ask import Embed, Vector


class Letters:
    """Embeds a text as its counts of a, b and c."""

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()

    def __call__(self, questions: Sequence[Embed]) -> list[Vector | None]:
        return [self._vector(question.text) for question in questions]

    def _vector(self, text: str) -> Vector | None:
        vector = np.array([text.count(letter) for letter in "abc"], np.float32)
        length = float(np.linalg.norm(vector))
        return vector / length if length else None


def test_it_is_the_mean_cosine_to_the_centroids() -> None:
    near = Relevance(Letters(), Lexicon("l", 1, "s", {}, {"x": ("a", "aa"), "y": ("b",), "z": ()}))
    assert near(["a", "b", "c", "ab"]) == pytest.approx([0.5, 0.5, 0, 2**-0.5])
    assert near(["!"]) == [None]


def test_a_lexicon_without_anchors_cannot_be_used() -> None:
    with pytest.raises(ConfigError, match="no anchors"):
        Relevance(Letters(), Lexicon("l", 1, "s", {}, {"x": ()}))


def test_a_model_that_is_not_there_is_named_by_its_key(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"dataset\.library\.relevance\.path"):
        relevance.load(RelevanceConfig(path=str(tmp_path / "gone")), load("small_world"), tmp_path)
