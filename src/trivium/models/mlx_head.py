"""The output head of an MLX model on chosen positions only: prompts and padding cost nothing there."""

from contextvars import ContextVar
from functools import cache
from typing import Any

_PLACES: ContextVar[Any] = ContextVar("places", default=None)


def logits_at(model: Any, ids: Any, places: Any) -> Any:
    """Logits (N, V) in float32 at N places, indices into the flattened (B·T) of `ids` (B, T).

    Rows may be padded on the right: what stands before the padding does not see it. What an architecture does to its logits
    after the head is done to these too.
    """
    import mlx.core as mx

    _watch_head(model)
    token = _PLACES.set(places)
    try:
        logits = model(ids)
    finally:
        _PLACES.reset(token)
    if logits.ndim == 3:  # a head that was not found
        logits = logits.reshape(-1, logits.shape[-1])[places]
    return logits.astype(mx.float32)


def _watch_head(model: Any) -> None:
    """Make this model's head, and no other's, heed the places: its class is replaced by a subclass of its own."""
    head = _head(model)
    if head is not None and not issubclass(type(head), _Heeding):
        head.__class__ = _heeding(head.__class__)


def _head(model: Any) -> Any:
    """The module that makes logits of hidden states: the head, or the embeddings where they are tied; None if unknown."""
    import mlx.nn as nn

    modules = dict(model.named_modules())
    own = [module for name, module in modules.items() if name.rsplit(".", 1)[-1] == "lm_head"]
    tied = [module for module in modules.values() if isinstance(module, nn.Embedding | nn.QuantizedEmbedding)]
    return own[0] if own else tied[0] if len(tied) == 1 else None


class _Heeding:
    """Marks the classes below."""


@cache
def _heeding(kind: type) -> type:
    import mlx.nn as nn

    def chosen(hidden: Any) -> Any:
        places = _PLACES.get()
        return hidden if places is None else hidden.reshape(-1, hidden.shape[-1])[places]

    if issubclass(kind, nn.Embedding | nn.QuantizedEmbedding):
        methods = {"as_linear": lambda self, x: kind.as_linear(self, chosen(x))}  # type: ignore[attr-defined]
    else:
        methods = {"__call__": lambda self, x: kind.__call__(self, chosen(x))}
    return type(kind.__name__, (kind, _Heeding), methods)
