"""Sentence embeddings by any sentence-transformers model."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trivium.errors import ModelError
from trivium.models.quiet import quiet
from trivium.schema import ScorerConfig
from trivium.scorers.batches import in_batches
from trivium.scorers.places import explained, local, read_json, require_device, require_safetensors
from trivium.scores.ask import Embed, Vector
from trivium.scores.words import plain

_NO_DIRECTION = "no direction"
_BYTES, _SHORTEST = 3, 8
"""Bytes of a token, about, and the least length that a text is counted as: batches need no exact lengths."""
_CHARACTERS = 24
"""Characters per token of the model's length, beyond which a text is cut before it is tokenized."""


class Embeddings:
    """Answers `Embed` questions with vectors (D,) of length 1, in float32; what is beyond the model's length is not read."""

    def __init__(self, model: Any, batch_tokens: int) -> None:
        self.failures: Counter[str] = Counter()
        self._model, self._batch_tokens = model, batch_tokens
        self._most = model.max_seq_length if isinstance(model.max_seq_length, int) else None

    def __call__(self, questions: Sequence[Embed]) -> list[Vector | None]:
        """A vector for each text; None for one that does not fit into memory, or of which the model makes no direction."""
        texts = [plain(question.text)[: self._most and self._most * _CHARACTERS] for question in questions]
        lengths = [self._length(text) for text in texts]
        return in_batches(lengths, self._batch_tokens, lambda batch: self._embed([texts[i] for i in batch]), self.failures)

    def _length(self, text: str) -> int:
        length = _SHORTEST + len(text.encode()) // _BYTES
        return length if self._most is None else min(length, self._most)

    def _embed(self, texts: list[str]) -> list[Vector | None]:
        with quiet():
            found = self._model.encode(texts, batch_size=len(texts), convert_to_numpy=True, show_progress_bar=False)
        return [self._unit(np.asarray(vector, np.float32)) for vector in found]

    def _unit(self, vector: Vector) -> Vector | None:
        length = float(np.linalg.norm(vector))
        if not 0 < length < np.inf:
            self.failures[_NO_DIRECTION] += 1
            return None
        return vector / length


def load_embeddings(config: ScorerConfig, path: str) -> Embeddings:
    """The model of a local folder or hub id, without code of its own; `ModelError` where it cannot be used."""
    require_device(config.device, "embeddings")
    folder = local(path, "embeddings", "modules.json")
    if folder is not None:
        require_safetensors(folder, "embeddings")
        _require_own_modules(folder)
    with quiet(), explained(path, "embeddings", _install(path, folder is not None)):
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(
            str(folder or path),
            revision=config.revision,
            device=config.device,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "dtype": "float32"},
        )
    return Embeddings(model.eval(), config.batch_tokens)


def _require_own_modules(folder: Path) -> None:
    """Raise `ModelError` where a module is not one of sentence-transformers: loading it would run other code."""
    modules = read_json(folder / "modules.json")
    types = [str(module.get("type")) for module in modules if isinstance(module, dict)] if isinstance(modules, list) else []
    foreign = [kind for kind in types if not kind.startswith("sentence_transformers.")]
    if foreign or not types:
        raise ModelError(
            f"reward.scorers.embeddings.path: modules.json of {folder} names {foreign[0] if foreign else 'no module'}; only "
            "modules of sentence-transformers are loaded, and no code that comes with a model."
        )


def _install(path: str, here: bool) -> str:
    if here:
        return "its files may be damaged or of another kind: it must be a sentence-transformers model in safetensors"
    return f"get it with `hf download {path}`, check the id and the network"
