"""The tiny embedding model: a vector for each word, taught that two wordings of a claim are near and its denial is not."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trivium.data.logic_world import Claim
from trivium.models.quiet import quiet
from trivium.scorers.tiny import logic
from trivium.scorers.tiny.filler import filler
from trivium.scorers.tiny.lessons import one_thread
from trivium.scorers.tiny.words import tokenizer

_WIDTH, _STEPS, _BATCH, _RATE, _SCALE = 64, 300, 128, 0.02, 12.0
_MAX_LENGTH = 512


def build_embeddings(out: Path, seed: int, steps: int = _STEPS) -> None:
    """Write the model into `out` as an ordinary sentence-transformers directory; the same seed gives the same weights."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    words = tokenizer(_MAX_LENGTH)
    with torch.random.fork_rng(devices=[]), one_thread():
        torch.manual_seed(seed)
        table = torch.nn.EmbeddingBag(len(words), _WIDTH, mode="mean")
        teach(table, words, random.Random(f"embeddings {seed}"), steps)
    with quiet():
        static = StaticEmbedding(words.backend_tokenizer, embedding_weights=table.weight.detach())
        SentenceTransformer(modules=[static, Normalize()], device="cpu").save(str(out), create_model_card=False)


def teach(table: Any, words: Any, rng: random.Random, steps: int) -> None:
    """Adam on the contrastive loss (nats) of a batch: a text finds its other wording among all others and denials."""
    import torch

    optimizer: Any = torch.optim.Adam(table.parameters(), lr=_RATE)
    for texts, others in _lessons(rng, steps):
        near = torch.nn.functional.normalize(_vectors(table, words, texts))
        far = torch.nn.functional.normalize(_vectors(table, words, others))
        loss: Any = torch.nn.functional.cross_entropy(_SCALE * near @ far.T, torch.arange(len(texts)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _lessons(rng: random.Random, steps: int) -> Iterator[tuple[list[str], list[str]]]:
    """Texts, and their other wordings in the same order followed by what they must not be taken for."""
    for _ in range(steps):
        found = [_texts(rng) for _ in range(_BATCH)]
        yield [text for text, _, _ in found], [other for _, other, _ in found] + [against for _, _, against in found]


def _texts(rng: random.Random) -> tuple[str, str, str]:
    """A text, another wording of it, and one that says the opposite."""
    form, found = rng.random(), logic.deduction(rng)
    if form < 0.15:
        text = filler(rng)
        return text, f"{text} {filler(rng)}" if rng.random() < 0.3 else text, filler(rng)
    if form < 0.4:
        opposite = type(found)(found.member, found.rule.negated())
        return logic.compound(found, rng), logic.compound(found, rng), logic.compound(opposite, rng)
    claim: Claim = rng.choice((found.conclusion, found.member, found.rule))
    whole = logic.compound(found, rng) if form > 0.9 else claim.other_text()
    return claim.text(), whole, logic.told(claim.negated(), rng)


def _vectors(table: Any, words: Any, texts: list[str]) -> Any:
    """Mean word vectors (N, D)."""
    import torch

    ids = words(texts, add_special_tokens=False)["input_ids"]
    starts = torch.tensor([0, *(len(row) for row in ids[:-1])]).cumsum(0)
    return table(torch.tensor([token for row in ids for token in row]), starts)
