"""What a training leaves behind in memory."""

import gc
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache


@contextmanager
def freed(empty_cache: Callable[[], object]) -> Iterator[None]:
    """Give a training's memory back when it ends, well or not: its trainer is part of cycles, and a traceback that somebody
    keeps would hold on to it.
    """
    _settle()
    try:
        yield
    except BaseException as error:
        _forget_frames(error)
        raise
    finally:
        gc.collect()
        empty_cache()


@cache
def _settle() -> None:
    """Leave what is loaded by now, half a million objects of libraries, out of this and every later collection."""
    gc.collect()
    gc.freeze()


def _forget_frames(error: BaseException | None) -> None:
    """Clear what the functions that an error, or its causes, came through still hold."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
