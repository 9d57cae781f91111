"""The tiny entailment model before its lessons: a BERT whose attention begins with what comparing two texts takes.

Matching a word with its like in the other text, and hearing its neighbours, is what a model of this size needs most of its
steps to find by itself. Here the first weights do that already; nothing keeps them so.
"""

import math
from typing import Any

from trivium.scorers.tiny.logic import LABELS
from trivium.scorers.tiny.words import same_words

MAX_LENGTH = 256

_PLACES = 16
"""Dimensions in which positions are told; one more tells the two texts apart, the others are the words'."""
_LIKENESS, _SCALE = 10.0, 1.4
"""Attention (before the softmax) of a word to its like, and the scale of positions and texts."""


def make_model(words: Any, hidden: int = 64, layers: int = 3, heads: int = 4) -> Any:
    """The untaught model. Its attention starts from likeness: a word looks at its own kind, and at its neighbours."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=len(words),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=2 * hidden,
        max_position_embeddings=MAX_LENGTH,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=hidden**-0.5,
        pad_token_id=words.pad_token_id,
        id2label=dict(enumerate(LABELS)),
        label2id={label: i for i, label in enumerate(LABELS)},
    )
    model: Any = BertForSequenceClassification(config)
    with torch.no_grad():
        _prepare_embeddings(model.bert.embeddings, words)
        for layer in model.bert.encoder.layer:
            _prepare_attention(layer.attention.self, heads)
    return model


def _prepare_embeddings(embeddings: Any, tokens: Any) -> None:
    """Words, positions and the two texts in dimensions of their own; forms of one word begin alike."""
    import torch

    width = embeddings.word_embeddings.embedding_dim
    words = width - _PLACES - 1
    embeddings.word_embeddings.weight[:, words:] = 0
    embeddings.word_embeddings.weight[:, :words].normal_()
    for forms in same_words():
        first, *others = tokens.convert_tokens_to_ids(list(forms))
        for other in others:
            embeddings.word_embeddings.weight[other] *= 0.3
            embeddings.word_embeddings.weight[other] += 0.9 * embeddings.word_embeddings.weight[first]
    embeddings.position_embeddings.weight.zero_()
    embeddings.position_embeddings.weight[:, words : words + _PLACES] = _waves(MAX_LENGTH)
    embeddings.token_type_embeddings.weight.zero_()
    embeddings.token_type_embeddings.weight[:, -1] = torch.tensor([2.0, -2.0])


def _prepare_attention(attention: Any, heads: int) -> None:
    """A half of the heads looks for the same word in the other text, the rest at the words before and after."""
    width = attention.query.in_features
    parts = (part.weight.view(heads, width // heads, width) for part in (attention.query, attention.key, attention.value))
    for head, (query, key, value) in enumerate(zip(*parts, strict=True)):
        query.zero_()
        key.zero_()
        if head < heads // 2:
            _look_for_likeness(query, key, value)
        else:
            _look_aside(query, key, value, 1 if head % 2 else -1)


def _look_for_likeness(query: Any, key: Any, value: Any) -> None:
    """Alike words of the two texts attract each other; what a word then hears first is in which text the other stands.

    All weights are (size of the head, hidden size).
    """
    import torch

    size, words = query.shape[0], query.shape[1] - _PLACES - 1
    alike = torch.randn(size - 1, words) * (_LIKENESS * math.sqrt(size) / (size - 1) / words) ** 0.5
    query[:-1, :words] = key[:-1, :words] = alike
    query[-1, -1], key[-1, -1] = _SCALE, -_SCALE
    value[0] = 0
    value[0, -1] = 2.0


def _look_aside(query: Any, key: Any, value: Any, by: int) -> None:
    """Attention to the word before (−1) or after (1), whose meaning is heard loudly; weights as above."""
    import torch

    words, rows = query.shape[1] - _PLACES - 1, min(query.shape[0], _PLACES)
    query[:rows, words : words + _PLACES] = _turn(by)[:rows] * _SCALE
    key[:rows, words : words + _PLACES] = torch.eye(_PLACES)[:rows] * _SCALE
    value *= 2.0


def _waves(length: int) -> Any:
    """Cosines and sines (length, places): positions as angles."""
    import torch

    angles = torch.arange(length)[:, None] * _frequencies()
    return torch.stack([angles.cos(), angles.sin()], dim=-1).reshape(length, _PLACES) * _SCALE


def _turn(by: int) -> Any:
    """The matrix (places, places) that moves positions on by some steps."""
    import torch

    turned = torch.zeros(_PLACES, _PLACES)
    for i, angle in enumerate((_frequencies() * by).tolist()):
        c, s = math.cos(angle), math.sin(angle)
        turned[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = torch.tensor([[c, -s], [s, c]])
    return turned


def _frequencies() -> Any:
    import torch

    return 2.8 * 0.6 ** torch.arange(_PLACES // 2)
