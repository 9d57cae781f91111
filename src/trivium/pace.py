"""How fast a piece of work goes, and how long it still takes."""

import time
from collections.abc import Callable

EVERY = 60.0
"""Seconds between two lines that tell of progress."""


class Pace:
    """Steps done by the clock, from the first one that was seen: a work that goes on from its middle is not taken for fast.

    When the steps in all change, or those done fall, another work has begun.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._told = now()
        self.done = self.total = 0
        self._first = self._last = (0, 0.0)

    def update(self, done: int, total: int) -> None:
        """So many of so many steps are done; `total` is 0 where nobody knows."""
        mark = (done, self._now())
        if done < self.done or total != self.total or not self.done:
            self._first = mark
        self.done, self.total, self._last = done, total, mark

    def left(self) -> float | None:
        """Seconds until the last step at the pace so far; None before the second step, or where nobody knows."""
        steps = self._last[0] - self._first[0]
        if not self.total or steps <= 0:
            return None
        each = (self._last[1] - self._first[1]) / steps
        return max(0.0, each * (self.total - self.done) - (self._now() - self._last[1]))

    def due(self) -> bool:
        """Whether it is time for another line, which is then taken for told."""
        if self._now() - self._told < EVERY:
            return False
        self._told = self._now()
        return True

    def words(self) -> str:
        """Steps done, steps in all, time left, as far as they are known."""
        left = self.left()
        steps = f"{self.done}/{self.total}" if self.total else f"{self.done}"
        return steps if left is None else f"{steps}, {clock(left)} left"


def clock(seconds: float) -> str:
    """As h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
