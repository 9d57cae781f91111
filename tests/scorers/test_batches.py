from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium.scorers.batches import by_length, in_batches


@given(st.lists(st.integers(1, 500), max_size=80), st.integers(1, 2000))
def test_batches_hold_everything_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(by_length(lengths, budget))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget for batch in batches)


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 30))
def test_halved_until_it_fits_and_what_never_fits_is_none(lengths: list[int], memory: int) -> None:
    failures: Counter[str] = Counter()

    def work(batch: list[int]) -> list[int]:
        if sum(lengths[i] for i in batch) > memory:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return [lengths[i] for i in batch]

    assert in_batches(lengths, 1000, work, failures) == [n if n <= memory else None for n in lengths]
    assert failures["out of memory"] == sum(n > memory for n in lengths)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 8 bytes")])
def test_main_memory_counts_as_memory(error: Exception) -> None:
    failures: Counter[str] = Counter()

    def work(batch: list[int]) -> list[int]:
        raise error

    assert in_batches([1, 1], 10, work, failures) == [None, None] and failures == {"out of memory": 2}


@pytest.mark.parametrize(
    "error", [RuntimeError("shape mismatch"), ValueError("out of memory"), IndexError("index out of range")]
)
def test_any_other_error_is_not_swallowed(error: Exception) -> None:
    def work(batch: list[int]) -> list[int]:
        raise error

    with pytest.raises(type(error)):
        in_batches([1, 1], 10, work, Counter())
