"""Generation: the one place where a model of transformers is asked to go on."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Heard = Callable[[list[int]], None]
"""Told the tokens of an answer so far, whenever there is one more."""


class Sampling(NamedTuple):
    """How the next token is taken: the likeliest at temperature 0, else one of those that make up `top_p` together."""

    temperature: float = 0.0
    top_p: float = 1.0

    def options(self) -> dict[str, Any]:
        """What `generate` is told."""
        if not self.temperature:
            return {"do_sample": False}
        return {"do_sample": True, "temperature": self.temperature, "top_p": self.top_p, "top_k": 0}


GREEDY = Sampling()


def stop_ids(model: Any, tokenizer: Any) -> list[int]:
    """Tokens that end a turn: the tokenizer's own, and those of the model's generation settings."""
    more = model.generation_config.eos_token_id
    return sorted({tokenizer.eos_token_id, *(more if isinstance(more, list) else [more])} - {None})


def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[list[int]],
    max_new_tokens: int,
    sampling: Sampling = GREEDY,
    heard: Heard | None = None,
) -> list[str]:
    """The next turn of every prompt (token ids), without special tokens; `heard` follows a single prompt's."""
    found = continuations(model, tokenizer, prompts, max_new_tokens, sampling, heard)
    return [text.strip() for text in tokenizer.batch_decode(found, skip_special_tokens=True)]


def continuations(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[list[int]],
    max_new_tokens: int,
    sampling: Sampling = GREEDY,
    heard: Heard | None = None,
) -> Any:
    """The same as token ids (B, longest): each row has its stop token, and padding after it."""
    import torch

    longest, pad = max(map(len, prompts)), tokenizer.pad_token_id
    ids = torch.tensor([[pad] * (longest - len(p)) + p for p in prompts], device=model.device)
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=model.device)
    with torch.inference_mode():
        found = model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            eos_token_id=stop_ids(model, tokenizer),
            pad_token_id=pad,
            streamer=_Listener(heard) if heard else None,
            **sampling.options(),
        )
    return found[:, longest:]


class _Listener:
    """What `generate` calls a streamer: it is handed the prompt first, then every token."""

    def __init__(self, heard: Heard) -> None:
        self._heard, self._ids = heard, list[int]()
        self._prompted = False

    def put(self, value: Any) -> None:
        if self._prompted:
            self._ids += value.flatten().tolist()
            self._heard(self._ids)
        self._prompted = True

    def end(self) -> None:
        pass
