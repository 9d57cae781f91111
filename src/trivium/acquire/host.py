"""Manners towards one host: a pace for its requests, pauses that it asks for, and an end to asking where nothing comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiolimiter import AsyncLimiter

from trivium.acquire.problems import HostGivenUp

SLACK = 0.25
"""How much of an interval a late request may be made up for; without it every late timer slows the pace."""

PATIENCE = 5
"""Requests in a row that failed for good, retries and all, after which a host is given up."""

UNREACHED = 3
"""Attempts to connect after which a host is given up that has never answered: there is no network, or no such host."""


class Host:
    """The requests to one host, `rate` a second."""

    def __init__(self, name: str, rate: float) -> None:
        self.name = name
        self.requests = 0
        self._limiter = AsyncLimiter(1 + SLACK, (1 + SLACK) / rate)
        self._gate = asyncio.Lock()
        self._not_before = 0.0
        self._failures = 0
        self._unreached: int | None = 0
        self._given_up = ""

    @asynccontextmanager
    async def turn(self, slots: asyncio.Semaphore) -> AsyncIterator[None]:
        """Wait until a request may go out, and hold one of the slots while it is under way.

        One request at a time waits for the pace, so that a slow host holds one idle slot and not all of them.
        Raises `HostGivenUp` when the host has been given up.
        """
        async with self._gate:
            await self._pause()
            await slots.acquire()
            try:
                await self._limiter.acquire()
            except BaseException:
                slots.release()
                raise
        self.requests += 1
        try:
            yield
        finally:
            slots.release()

    async def _pause(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if self._given_up:
                raise HostGivenUp(self.name, self._given_up)
            rest = self._not_before - loop.time()
            if rest <= 0:
                return
            await asyncio.sleep(rest)

    def hold(self, seconds: float) -> None:
        """Send nothing for a while: the host asked for it."""
        self._not_before = max(self._not_before, asyncio.get_running_loop().time() + seconds)

    def answered(self) -> None:
        """It works: whatever failed before counts no more."""
        self._failures, self._unreached = 0, None

    def unreached(self, why: str) -> None:
        """An attempt to connect failed."""
        if self._unreached is not None:
            self._unreached += 1
            if self._unreached >= UNREACHED:
                self.give_up(f"no connection in {UNREACHED} attempts ({why}), so look at the network and the address")

    def failed(self, why: str) -> None:
        """A request failed for good."""
        self._failures += 1
        if self._failures >= PATIENCE:
            self.give_up(f"{PATIENCE} requests in a row failed, the last with: {why}")

    def give_up(self, why: str) -> None:
        """Send nothing more."""
        self._given_up = self._given_up or why
