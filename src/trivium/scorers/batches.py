"""Batches of like length within a budget, halved where memory does not suffice."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Answer = TypeVar("Answer")

OUT_OF_MEMORY = "out of memory"
_FEW, _ALIKE = 8, 0.7


def by_length(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices in batches, longest first; the padded length of a batch stays within `budget` unless it holds a single one.

    What is much shorter than the longest of a batch begins the next one, so that little is padded.
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        longest = lengths[batch[0]] if batch else 0
        if batch and ((len(batch) + 1) * longest > budget or (len(batch) >= _FEW and lengths[index] < _ALIKE * longest)):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def in_batches(
    lengths: Sequence[int], budget: int, work: Callable[[list[int]], Sequence[Answer | None]], failures: Counter[str]
) -> list[Answer | None]:
    """What `work` makes of each index, in order. What does not fit into memory even alone is None and counted."""
    found: list[Answer | None] = [None] * len(lengths)
    for batch in by_length(lengths, budget):
        for index, answer in zip(batch, _fitting(batch, work, failures), strict=True):
            found[index] = answer
    return found


def _fitting(
    batch: list[int], work: Callable[[list[int]], Sequence[Answer | None]], failures: Counter[str]
) -> list[Answer | None]:
    try:
        return list(work(batch))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    if len(batch) == 1:
        failures[OUT_OF_MEMORY] += 1
        return [None]
    release()
    half = len(batch) // 2
    return _fitting(batch[:half], work, failures) + _fitting(batch[half:], work, failures)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error tells that memory did not suffice: on CUDA, on Apple's GPU, or in main memory."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def release() -> None:
    """Give memory that PyTorch holds without using it back to the GPU."""
    torch = sys.modules.get("torch")
    if torch is None:
        return
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
