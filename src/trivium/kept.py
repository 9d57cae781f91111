"""What a process keeps in memory for the trials that follow in it: things that are read, and never changed."""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """The newest few of things that take time to make, by the key (see `artifact.key_of`) of what they are made from."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._things: dict[str, T] = {}

    def get(self, key: str, make: Callable[[], T]) -> T:
        """The thing of that key, made now if it is not there; the oldest gives way before another is made."""
        thing = self._things.pop(key) if key in self._things else self._made(make)
        self._things[key] = thing
        return thing

    def _made(self, make: Callable[[], T]) -> T:
        while len(self._things) >= self._size:
            del self._things[next(iter(self._things))]
        return make()
