"""The output head on supervised positions only: prompts and padding cost nothing there, which is most of a small model."""

import types
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

MAX_LOGITS = 1 << 26
"""Logits held at once (256 MiB in float32); more positions are scored in chunks that are computed again for the backward."""

_RESCALED = ("final_logit_softcapping", "logit_scale", "output_multiplier", "lm_head_multiplier", "logits_scaling")
"""Config entries of architectures whose logits are more than hidden states times the head."""


class TokenScores(NamedTuple):
    """Of every predicted token, all (B, T - 1): log-probability and entropy (nats), whether it was the top choice, and
    whether it is supervised; zero where it is not.
    """

    log_probs: Tensor
    entropy: Tensor
    is_top1: Tensor
    label_mask: Tensor


def add_token_scores(model: Any) -> None:
    """Let `model(..., labels=…, token_scores=True)` return `TokenScores`; other calls are as before.

    `model` is the causal language model itself, not its PEFT or DDP wrapper, through which the call then passes.
    """
    rescaled, plain = _rescales(model), model.forward

    def forward(self: Any, *args: Any, token_scores: bool = False, **kwargs: Any) -> Any:
        if not token_scores:
            return plain(*args, **kwargs)
        labels = kwargs.pop("labels")[:, 1:]
        mask = labels != -100
        if rescaled:
            logits = plain(*args, **{**kwargs, "use_cache": False}).logits[:, :-1][mask]
            return _spread(_score(logits, labels[mask]), mask)
        hidden = self.base_model(*args, **{**kwargs, "use_cache": False}).last_hidden_state[:, :-1][mask]
        return _spread(_score_in_chunks(self.get_output_embeddings(), hidden, labels[mask]), mask)

    model.forward = types.MethodType(forward, model)


def logits_at(model: Any, input_ids: Tensor, mask: Tensor) -> Iterator[Tensor]:
    """Logits (n, V) of the N positions in `mask` (B, T), at most `MAX_LOGITS` at a time.

    Rows may be padded on the right: what stands before the padding does not see it. `model` may be a PEFT wrapper.
    """
    if hasattr(model, "get_base_model"):
        model = model.get_base_model()
    if _rescales(model):
        yield model(input_ids=input_ids, use_cache=False).logits[mask]
        return
    head = model.get_output_embeddings()
    hidden = model.base_model(input_ids=input_ids, use_cache=False).last_hidden_state[mask]
    yield from map(head, hidden.split(_chunk(head)))


def _rescales(model: Any) -> bool:
    settings = model.config.get_text_config().to_dict()
    return any(settings.get(name) is not None for name in _RESCALED)


def _chunk(head: Any) -> int:
    return int(max(1, MAX_LOGITS // head.weight.shape[0]))


def _score_in_chunks(head: Any, hidden: Tensor, targets: Tensor) -> list[Tensor]:
    """Scores of N positions from their hidden states (N, D), at most `MAX_LOGITS` logits at a time."""
    size = _chunk(head)
    if len(hidden) <= size:
        return _score(head(hidden), targets)
    chunks = zip(hidden.split(size), targets.split(size), strict=True)
    scored = [checkpoint(lambda h, t: _score(head(h), t), h, t, use_reentrant=False) for h, t in chunks]
    return [torch.cat(parts) for parts in zip(*scored, strict=True)]


def _score(logits: Tensor, targets: Tensor) -> list[Tensor]:
    """Log-probability, entropy and hit of N targets under logits (N, V)."""
    logits = logits.float()
    log_probs = -torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    with torch.no_grad():
        entropy = logits.logsumexp(-1) - (logits.softmax(-1) * logits).sum(-1)
        is_top1 = logits.argmax(-1) == targets
    return [log_probs, entropy, is_top1]


def _spread(scores: list[Tensor], mask: Tensor) -> TokenScores:
    log_probs, entropy, is_top1 = (torch.zeros_like(mask, dtype=x.dtype).masked_scatter(mask, x) for x in scores)
    return TokenScores(log_probs, entropy, is_top1, mask)
