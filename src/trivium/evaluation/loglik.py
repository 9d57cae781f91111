"""Log-likelihoods in batches of similar length: the padded tokens of a batch are bounded, results come in input order."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple


class Pair(NamedTuple):
    """Token ids, and a mask that is 1 on the tokens that are scored."""

    input_ids: list[int]
    mask: list[int]


def score_pairs(model: Any, pairs: Sequence[Pair], pad_token_id: int, batch_tokens: int) -> list[float]:
    """Negative log-likelihood in nats of each pair's scored tokens, summed, by a model in PyTorch."""
    return in_batches(lambda batch: _score(model, batch, pad_token_id), pairs, batch_tokens)


def in_batches(score: Callable[[list[Pair]], list[float]], pairs: Sequence[Pair], batch_tokens: int) -> list[float]:
    """What `score` gives for each pair, asked for batches of similar length; a first token is never predicted."""
    found = [0.0] * len(pairs)
    for batch in _batches(pairs, batch_tokens):
        for index, nats in zip(batch, score([pairs[i] for i in batch]), strict=True):
            found[index] = nats
    return found


def _batches(pairs: Sequence[Pair], batch_tokens: int) -> Iterator[list[int]]:
    """Indices by length, longest first, so that what does not fit in memory fails at once."""
    batch: list[int] = []
    for index in sorted(range(len(pairs)), key=lambda i: -len(pairs[i].input_ids)):
        longest = len(pairs[batch[0]].input_ids) if batch else 0
        if batch and (len(batch) + 1) * longest > batch_tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _score(model: Any, batch: list[Pair], pad: int) -> list[float]:
    """Sums of nats (B,). Rows are padded on the right and the models are causal, so no attention mask is needed."""
    import torch

    from trivium.models.head import logits_at

    longest = max(len(pair.input_ids) for pair in batch)
    ids = torch.tensor([p.input_ids + [pad] * (longest - len(p.input_ids)) for p in batch], device=model.device)
    mask = torch.tensor([p.mask[1:] + [0] * (longest - len(p.mask) + 1) for p in batch], device=model.device).bool()
    targets = ids.roll(-1, 1)[mask]
    with torch.inference_mode():
        nll: list[Any] = []
        for logits in logits_at(model, ids, mask):
            part = targets[sum(map(len, nll)) :][: len(logits)]
            nll.append(torch.nn.functional.cross_entropy(logits.float(), part, reduction="none"))
        return torch.zeros(len(batch), device=ids.device).index_add(0, mask.nonzero()[:, 0], torch.cat(nll)).tolist()
