"""The items of a list, fetched side by side and taken in the order of the list."""

import asyncio
from collections import deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from trivium.data.rejects import BadRow

LONGEST = 512
"""Items of a list under way, or finished and waiting for one before them."""


@dataclass(frozen=True)
class Candidate:
    """An item that a list names; `of` is how many the list has, `bytes` the size, where they are known.

    `mark` is what the list itself decides of the outcome: an item is fetched anew when it has changed.
    """

    id: str
    about: Mapping[str, Any] = field(default_factory=dict)
    of: int | None = None
    bytes: int | None = None
    mark: str = ""


Outcome = Literal["new", "kept"] | BadRow
"""Fetched now, here already, or not to be had."""


class Line:
    """Items under way in the order of their list; what is quicker than those before it waits for them."""

    def __init__(self) -> None:
        self.taken = 0
        self.waiting: deque[tuple[Candidate, asyncio.Task[Outcome]]] = deque()
        self._running: set[asyncio.Task[Outcome]] = set()

    def has_room(self, parallel: int, limit: int | None) -> bool:
        """Whether the next item can be begun, and is needed even if all before it that are not lost yet succeed."""
        lost = sum(task.done() and isinstance(task.result(), BadRow) for _, task in self.waiting)
        needed = limit is None or self.taken + len(self.waiting) - lost < limit
        return needed and len(self._running) < parallel and len(self.waiting) < LONGEST

    def add(self, candidate: Candidate, work: Coroutine[Any, Any, Outcome]) -> None:
        """Begin an item."""
        task = asyncio.create_task(work)
        self.waiting.append((candidate, task))
        self._running.add(task)

    async def advance(self) -> list[tuple[Candidate, Outcome]]:
        """Wait until something ends; returns what has ended and has none before it that has not."""
        if self._running:
            _, self._running = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        ended = []
        while self.waiting and self.waiting[0][1].done():
            candidate, task = self.waiting.popleft()
            ended.append((candidate, task.result()))
        return ended

    async def cancel(self) -> None:
        """Stop everything."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
