"""What a certificate asks of a program that runs a model, whichever it is."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trivium.sample import Message

Logprobs = npt.NDArray[np.float32]
"""Natural logarithms of next-token probabilities (positions, vocabulary)."""


class Runtime(Protocol):
    """A program with a model loaded."""

    def render(self, messages: Sequence[Message], add_generation_prompt: bool) -> str:
        """The string that it makes of a conversation, by its own template."""

    def tokenize(self, text: str) -> list[int]:
        """Token ids of a rendered string, special tokens in it recognised, none added."""

    def stops(self) -> frozenset[str]:
        """Texts of the tokens at which it ends a turn."""

    def greedy(self, ids: Sequence[int], max_new_tokens: int) -> list[int]:
        """The likeliest continuation, without the stop token."""

    def logprobs(self, ids: Sequence[int], first: int) -> Logprobs:
        """For each position from `first` to the last, the distribution of the token after it: (len(ids) - first, V)."""


@dataclass(frozen=True)
class Variant:
    """One exported form that can be run: its name (`gguf/q8_0`), whose limits it has (`q8_0`), its files, how it is opened."""

    name: str
    precision: str
    files: tuple[Path, ...]
    open: Callable[[], AbstractContextManager[Runtime]]
