"""The tiny entailment model: a small BERT that is taught the small world's logic in seconds."""

import math
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from trivium.scorers.tiny.lessons import one_thread
from trivium.scorers.tiny.logic import LABELS
from trivium.scorers.tiny.pairs import pairs
from trivium.scorers.tiny.words import same_words, tokenizer

Update = Callable[[int, int, Mapping[str, float]], None]

MAX_LENGTH = 256
_STEPS, _BATCH, _RATE = 1500, 64, 2e-3
_PLACES = 16
_NEIGHBOURS = 2.0
_PLAIN_STEPS = 600
_FLOOR, _RAMP = 0.2, 300
"""Steps in which the share of the plainest pairs falls from all to none."""


def build_nli(out: Path, seed: int, progress: Update = lambda *_: None, steps: int = _STEPS) -> None:
    """Write the model into `out` as an ordinary Hugging Face directory; the same seed gives the same weights."""
    import torch

    from trivium.models.quiet import quiet

    words = tokenizer(MAX_LENGTH)
    with torch.random.fork_rng(devices=[]), one_thread():
        torch.manual_seed(seed)
        model = make_model(words)
        teach(model, words, random.Random(f"nli {seed}"), steps, progress)
    with quiet():
        model.save_pretrained(out)
        words.save_pretrained(out)


def make_model(words: Any, hidden: int = 96, layers: int = 3, heads: int = 4) -> Any:
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
    import torch

    width = attention.query.in_features
    words, size = width - _PLACES - 1, width // heads
    query, key, value = (part.weight.view(heads, size, width) for part in (attention.query, attention.key, attention.value))
    for head in range(heads):
        query[head] = 0
        key[head] = 0
        if head < heads // 2:
            like = torch.randn(size - 1, words) * (10 * math.sqrt(size) / (size - 1) / words) ** 0.5
            query[head, :-1, :words] = key[head, :-1, :words] = like
            query[head, -1, -1], key[head, -1, -1] = 1.4, -1.4
            value[head, 0] = 0
            value[head, 0, -1] = 2.0
        else:
            rows = torch.arange(_PLACES) if size >= _PLACES else torch.arange(size)
            turned = _turn(1 if head % 2 else -1)[rows]
            query[head, : len(rows), words : words + _PLACES] = turned * 1.4
            key[head, : len(rows), words : words + _PLACES] = torch.eye(_PLACES)[rows] * 1.4
            value[head] *= _NEIGHBOURS


def _waves(length: int) -> Any:
    """Cosines and sines (length, places): positions as angles."""
    import torch

    angles = torch.arange(length)[:, None] * _frequencies()
    return torch.stack([angles.cos(), angles.sin()], dim=-1).reshape(length, _PLACES) * 1.4


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


def teach(model: Any, words: Any, rng: random.Random, steps: int, progress: Update) -> None:
    """AdamW with warm-up and cosine decay on cross-entropy (nats); plain pairs first, longer ones later."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _pace(step, steps))
    batches = _batches(words, rng, steps)
    model.train()
    for step in range(steps):
        loss = model(**next(batches)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % 20 == 0 or step + 1 == steps:
            progress(step + 1, steps, {"loss": loss.item()})
    model.eval()


def _batches(words: Any, rng: random.Random, steps: int) -> Iterator[dict[str, Any]]:
    """Batches of like length in a random order. Positions start anywhere, so that every one of them is learnt."""
    import torch

    group = 16
    for start in range(0, steps, group):
        plain = min(1.0, max(_FLOOR, 1 - (start - _PLAIN_STEPS) / _RAMP))
        lesson = pairs(_BATCH * group, rng, plain=plain)
        encoded = words([p.premise for p in lesson], [p.hypothesis for p in lesson], truncation=True, max_length=MAX_LENGTH)
        order = sorted(range(len(lesson)), key=lambda i: len(encoded["input_ids"][i]))
        starts = list(range(0, len(order), _BATCH))
        rng.shuffle(starts)
        for begin in starts:
            rows = order[begin : begin + _BATCH]
            batch = dict(words.pad({key: [encoded[key][i] for i in rows] for key in encoded}, return_tensors="pt"))
            length = batch["input_ids"].shape[1]
            offset = rng.randint(0, min(64, MAX_LENGTH - length)) if rng.random() < 0.5 else 0
            batch["position_ids"] = torch.arange(offset, offset + length).expand(len(rows), -1)
            batch["labels"] = torch.tensor([lesson[i].label for i in rows])
            yield batch


def _pace(step: int, steps: int) -> float:
    warmup = max(1, steps // 15)
    if step < warmup:
        return (step + 1) / warmup
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
