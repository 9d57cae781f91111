"""Relevance: how near a passage lies to the themes, by sentence embeddings; asked only of what the keywords let pass."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from trivium.data.library.themes import Lexicon
from trivium.errors import ConfigError, ModelError
from trivium.schema.library import RelevanceConfig
from trivium.schema.reward import ScorerConfig
from trivium.scorers.base import Scorer
from trivium.scores.ask import Embed, Vector

Floats = npt.NDArray[np.float64]


class Relevance:
    """Mean cosine similarity of passages to the centroids of the themes' anchor sentences."""

    def __init__(self, scorer: Scorer, lexicon: Lexicon) -> None:
        self._scorer = scorer
        centroids = [_centroid(scorer, theme, anchors) for theme, anchors in lexicon.anchors.items() if anchors]
        if not centroids:
            raise ConfigError(
                f"dataset.library.relevance: the lexicon {lexicon.name} has no anchors; write some sentences for each theme, "
                "or set dataset.library.relevance.enabled=false."
            )
        self._centroids = np.stack(centroids)

    def __call__(self, texts: Sequence[str]) -> list[float | None]:
        """A similarity from −1 to 1 for each text; None where the model gives no vector."""
        vectors = cast(list[Vector | None], self._scorer([Embed(text) for text in texts]))
        return [None if vector is None else float((self._centroids @ vector).mean()) for vector in vectors]


def _centroid(scorer: Scorer, theme: str, anchors: Sequence[str]) -> Floats:
    """The mean direction of a theme's anchors (D,), of length 1."""
    vectors = [v for v in cast(list[Vector | None], scorer([Embed(text) for text in anchors])) if v is not None]
    mean = np.mean(vectors, axis=0, dtype=np.float64) if vectors else np.zeros(1)
    length = float(np.linalg.norm(mean))
    if not length:
        raise ModelError(
            f"dataset.library.relevance: the model gives no direction for the anchors of {theme}; take another model."
        )
    return cast(Floats, mean / length)


def load(config: RelevanceConfig, lexicon: Lexicon, cache_dir: Path | None) -> Relevance:
    """The relevance by the configured model, or by the embedded tiny one, which is kept in `cache_dir`.

    Raises `ModelError` where the model cannot be used, `ConfigError` where its device is not there.
    """
    from trivium.scorers.load import open_scorer

    chosen = ScorerConfig(path=config.path, device=config.device)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            scorer = open_scorer("embeddings", chosen, cache_dir or Path(scratch))
    except (ModelError, ConfigError) as error:
        raise type(error)(str(error).replace("reward.scorers.embeddings", "dataset.library.relevance")) from error
    return Relevance(scorer, lexicon)
