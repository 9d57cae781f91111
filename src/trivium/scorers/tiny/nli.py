"""The tiny entailment model: a small BERT that is taught the small world's logic in seconds."""

import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from trivium.scorers.tiny.lessons import one_thread
from trivium.scorers.tiny.model import MAX_LENGTH, make_model
from trivium.scorers.tiny.pairs import pairs
from trivium.scorers.tiny.words import tokenizer

Update = Callable[[int, int, Mapping[str, float]], None]

_STEPS, _BATCH, _RATE = 2600, 32, 1.4e-3
_PLAIN_STEPS, _RAMP, _FLOOR = 500, 400, 0.2
"""Steps with plain pairs only, steps in which their share then falls, and to what."""


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


def teach(model: Any, words: Any, rng: random.Random, steps: int, progress: Update) -> None:
    """AdamW with warm-up and cosine decay on cross-entropy (nats); plain pairs first, longer ones later."""
    import torch
    from transformers import get_cosine_schedule_with_warmup

    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    schedule = get_cosine_schedule_with_warmup(optimizer, steps // 15, steps)
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
