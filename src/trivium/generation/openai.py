"""The teacher: a model behind an OpenAI-compatible server, asked concurrently, every reply kept in a ledger."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from trivium.artifact import key_of
from trivium.data.rejects import BadRow
from trivium.generation import prompts, replies
from trivium.generation.checks import Verify
from trivium.generation.ledger import Ledger, Reply
from trivium.generation.persona import Component, Persona
from trivium.generation.rows import Conversation, Job
from trivium.generation.server import FormRefusedError, NoReply, Server, TeacherError
from trivium.sample import Sample
from trivium.schema.generator import OpenAIGenerator

PATIENCE = 8
"""Requests in a row without a reply, beyond the concurrency, after which the server is given up."""


class Pending(NamedTuple):
    """A request whose reply is not in the ledger yet."""

    key: str
    attempt: int
    request: dict[str, Any]


class Teacher:
    """Fills the ledger with replies to jobs, and reads conversations from it.

    An attempt is a reply, and every attempt's request follows from the job and the replies before it, so that neither an
    interruption nor the order in which replies come in changes a row.
    """

    def __init__(
        self,
        config: OpenAIGenerator,
        persona: Persona,
        components: Mapping[str, Component],
        verify: Verify,
        last_year: int | None,
        ledger: Path,
    ) -> None:
        self._config, self._persona, self._components, self._verify = config, persona, components, verify
        self._last_year = last_year
        self._ledger = Ledger(ledger)
        self._model = config.model
        self._structured = config.structured != "off"
        self._unanswered: dict[str, str] = {}
        self._spent = list(self._ledger.tokens())
        self._silent = self._done = 0
        self._stop: TeacherError | None = None
        self.asked = 0

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.close()

    def fill(self, jobs: Iterator[tuple[Job, Sample]], tell: Callable[[int], None]) -> None:
        """Ask until every job has a reply that passes or no attempt left; raises `TeacherError` where the run has to stop."""
        asyncio.run(self._fill(jobs, tell))

    def conversation(self, job: Job, passage: Sample) -> Conversation:
        """The conversation in the ledger that passes the checks; raises `BadRow`, the last attempt's, where none does."""
        state = self._state(job, passage)
        if isinstance(state, Conversation):
            return state
        if isinstance(state, BadRow):
            raise state
        raise BadRow("the server gave no reply", self._unanswered.get(job.key, "not asked"))

    def spent(self) -> dict[str, float]:
        """Tokens of all replies in the ledger, those of earlier runs too, and what they cost."""
        return {"prompt_tokens": self._spent[0], "reply_tokens": self._spent[1], "cost": self._cost()}

    async def _fill(self, jobs: Iterator[tuple[Job, Sample]], tell: Callable[[int], None]) -> None:
        config = self._config
        async with Server(
            config.base_url, config.model, config.api_key_env, config.timeout, config.retries, "generator"
        ) as server:
            meeting = _Meeting(server)
            if not config.model:
                await meeting.once()
                self._model = server.model
            workers = [asyncio.create_task(self._work(server, meeting, jobs, tell)) for _ in range(config.concurrency)]
            try:
                await asyncio.gather(*workers)
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
        if self._stop is not None:
            raise self._stop

    async def _work(
        self, server: Server, meeting: "_Meeting", jobs: Iterator[tuple[Job, Sample]], tell: Callable[[int], None]
    ) -> None:
        for job, passage in jobs:
            if self._stop is not None:
                return
            while isinstance(state := self._state(job, passage), Pending):
                await meeting.once()
                if self._over() or not await self._ask(server, job, state):
                    break
            self._done += 1
            tell(self._done)

    async def _ask(self, server: Server, job: Job, pending: Pending) -> bool:
        """One request, its reply written down; False where there is none."""
        self.asked += 1
        try:
            reply = await self._reply(server, pending.request)
        except NoReply as error:
            self._unanswered[job.key] = str(error)
            self._silent += 1
            if self._silent >= PATIENCE + self._config.concurrency:
                self._stop = self._stop or TeacherError(
                    f"generator: {self._silent} requests in a row got no reply from {server.shown} (last: {error}); "
                    "every reply so far is kept, so run the same command again once the server is well."
                )
            return False
        self._silent = 0
        if self._config.max_cost is not None and reply.text and reply.reply_tokens is None:
            self._stop = self._stop or TeacherError(
                f"generator.max_cost cannot be kept, for {server.shown} does not count tokens; leave it out."
            )
        self._ledger.put(pending.key, job.key, pending.attempt, reply)
        self._spent = [spent + (tokens or 0) for spent, tokens in zip(self._spent, reply[1:], strict=True)]
        return True

    async def _reply(self, server: Server, request: dict[str, Any]) -> Reply:
        if self._structured:
            try:
                return await server.ask({**request, "response_format": prompts.SCHEMA})
            except FormRefusedError as error:
                if self._config.structured == "on":
                    raise TeacherError(
                        f"generator.structured=on, but {server.shown} refuses it ({error}); set it to auto or off."
                    ) from None
                self._structured = False
        return await server.ask(request)

    def _over(self) -> bool:
        """Whether the run has to stop before another request."""
        most = self._config.max_cost
        if most is not None and self._stop is None and (cost := self._cost()) >= most:
            self._stop = TeacherError(
                f"generator.max_cost={most:g} is reached ({cost:.4g} spent); every reply so far is kept, so raise it and run "
                "the same command again."
            )
        return self._stop is not None

    def _cost(self) -> float:
        prompts, replied = self._spent
        return (prompts * self._config.price_per_million_input + replied * self._config.price_per_million_output) / 1e6

    def _state(self, job: Job, passage: Sample) -> Conversation | BadRow | Pending:
        """How far a job is: done, given up, or in need of a reply."""
        bad = BadRow("nothing was tried")
        for attempt in range(self._config.checks.attempts):
            request = self._request(job, passage, attempt, bad.kind if attempt else "")
            key = key_of(job.key, attempt, request, self._config.structured)
            reply = self._ledger.get(key)
            if reply is None:
                return Pending(key, attempt, request)
            try:
                made = replies.read(reply.text)
            except BadRow as problem:
                bad = problem
                continue
            problem_found = self._verify(made, passage)
            if problem_found is None:
                return made
            bad = problem_found
        return bad

    def _request(self, job: Job, passage: Sample, attempt: int, refused: str) -> dict[str, Any]:
        config = self._config
        component = self._components[job.component]
        return {
            "model": self._model,
            "messages": prompts.messages(job, passage, self._persona, component, config, self._last_year, refused),
            "temperature": config.temperature,
            "top_p": config.top_p,
            "max_tokens": config.max_tokens,
            "seed": _seed(config.seed, job.key, attempt),
        }


class _Meeting:
    """Meets the server before the first request, however many ask at once; a run that needs no reply meets none."""

    def __init__(self, server: Server) -> None:
        self._server, self._lock, self._met = server, asyncio.Lock(), False

    async def once(self) -> None:
        if self._met:
            return
        async with self._lock:
            if not self._met:
                await self._server.meet()
                self._met = True


def _seed(seed: int, job: str, attempt: int) -> int:
    """A seed of 31 bits for one attempt at a job."""
    digest = blake2b(f"{seed}/{job}/{attempt}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") >> 1
