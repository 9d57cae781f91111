"""Any OpenAI-compatible server: what it offers, one request at a time, and what to tell where it refuses."""

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from trivium.errors import TriviumError
from trivium.generation.ledger import Reply

_LOCKED = (401, 403)
"""How a server answers without the right key."""

_LONGEST_WAIT = 120.0
"""Seconds that the client waits before a further attempt, at most, where the server says how long."""

_NOT_HERE = (404, 405, 422)
"""How a server answers that has no chat, or not this model."""

_REFUSED = (400, 404, 415, 422, 500, 501)
_FORM = ("response_format", "json_schema", "json schema", "structured", "guided", "grammar", "unexpected field", "extra inputs")
"""What a server that refuses structured output says."""


_CHATTY = ("openai", "httpx", "httpx2", "httpcore", "httpcore2")
"""Loggers that write a line for every request, address and all."""


class TeacherError(TriviumError, RuntimeError):
    """The server cannot be used, or the run has to stop; every reply so far is kept."""


class NoReply(Exception):
    """One request without a reply, after all further attempts; `hopeless` where others would fare no better."""

    def __init__(self, reason: str, hopeless: bool = False) -> None:
        super().__init__(reason)
        self.hopeless = hopeless


class Server:
    """A server and one model of it, open within `async with`. The key comes from the environment, and stands in no message."""

    def __init__(self, base_url: str, model: str, api_key_env: str, timeout: float, retries: int, setting: str) -> None:
        """`setting` is the configuration's section, for messages; `timeout` is in seconds for every single request."""
        from openai import AsyncOpenAI

        self._key = os.environ.get(api_key_env, "")
        self._key_env, self._setting = api_key_env, setting
        self._url = base_url
        self.model = model
        key = self._key or "none"
        self._patience = timeout * (retries + 1) + _LONGEST_WAIT * retries
        self._client = AsyncOpenAI(base_url=base_url, api_key=key, timeout=timeout, max_retries=retries)
        self._levels = {name: logging.getLogger(name).level for name in _CHATTY}

    async def __aenter__(self) -> "Server":
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
        return self

    async def __aexit__(self, *_: object) -> None:
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)
        await self._client.close()

    async def meet(self) -> None:
        """Check that the server answers and has the model, which is its only one where none is named. Raises `TeacherError`."""
        names = await self._offered()
        offered = ", ".join(names or []) or "none by name"
        if not self.model:
            if names is None or len(names) != 1:
                raise TeacherError(f"{self._setting}.model is empty, and {self.shown} offers {offered}; name one.")
            self.model = names[0]
        elif names is None or self.model not in names:
            await self._probe(offered)

    async def _offered(self) -> list[str] | None:
        """Names of the models, None where the server does not tell."""
        import openai

        try:
            answer = await self._client.models.with_raw_response.list()
            data = json.loads(answer.http_response.content).get("data") or []
            return [str(entry["id"]) for entry in data]
        except openai.APIConnectionError as error:
            raise TeacherError(
                f"{self._setting}.base_url: no server answers at {self.shown}; start one (LM Studio, `ollama serve`, "
                f"`vllm serve`, `llama-server`, `transformers serve`), or set {self._setting}.base_url to where it listens."
            ) from error
        except openai.APIStatusError as error:
            if error.status_code in _LOCKED:
                raise self.refusal(error.status_code, self._said(error)) from None
            return None
        except (ValueError, AttributeError, TypeError, KeyError):
            return None

    async def _probe(self, offered: str) -> None:
        """One token of a model that the server does not list."""
        try:
            await self.ask({"model": self.model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1})
        except NoReply as error:
            raise TeacherError(
                f"{self._setting}.model={self.model} gets no reply from {self.shown} ({error}), which offers {offered}; "
                "choose a model that it has."
            ) from None

    async def ask(self, request: Mapping[str, Any]) -> Reply:
        """The reply to a request, retries included; raises `NoReply` where none helped, `TeacherError` where none can."""
        import openai

        try:
            body = {name: value for name, value in request.items() if name not in ("model", "messages")}
            create = self._client.chat.completions.with_raw_response.create
            asking = create(model=request["model"], messages=request["messages"], extra_body=body)
            answer = await asyncio.wait_for(asking, self._patience)
            return _reply(answer.http_response.content)
        except (openai.APITimeoutError, asyncio.TimeoutError):
            raise NoReply("no reply in time") from None
        except openai.APIConnectionError as error:
            raise NoReply(f"the connection failed ({type(error.__cause__ or error).__name__})", hopeless=True) from None
        except openai.APIStatusError as error:
            said = self._said(error)
            if error.status_code in _LOCKED:
                raise self.refusal(error.status_code, said) from None
            if "response_format" in request and error.status_code in _REFUSED and any(word in said.lower() for word in _FORM):
                raise FormRefusedError(said) from None
            reason = f"the server answered {error.status_code}" + (f": {said}" if said else "")
            raise NoReply(reason, hopeless=error.status_code in _NOT_HERE) from None

    def refusal(self, status: int, said: str) -> TeacherError:
        """What to tell where nothing will be answered."""
        return TeacherError(
            f"{self._setting}.base_url: {self.shown} answered {status} ({said or 'no reason given'}); "
            f"put a key that it takes into the environment variable {self._key_env}."
        )

    @property
    def shown(self) -> str:
        """The address, without a name and password in it."""
        parts = urlsplit(self._url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    def _said(self, error: Any) -> str:
        """A server's reason in one line, the key blotted out."""
        said = " ".join(str(error.message).split()).removeprefix(f"Error code: {error.status_code}").lstrip(" -")
        return (said.replace(self._key, "…") if self._key else said)[:200]


class FormRefusedError(NoReply):
    """The server has no structured output."""


def _reply(body: bytes) -> Reply:
    """Text and token counts of a reply; an empty text where the body is no chat completion."""
    try:
        data = json.loads(body)
        text = data["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return Reply("")
    usage = data.get("usage") if isinstance(data.get("usage"), dict) else {}
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    prompt, reply = (count if isinstance(count, int) and count >= 0 else None for count in counts)
    written = text.encode(errors="replace").decode() if isinstance(text, str) else ""  # no file takes half a surrogate pair
    return Reply(written, prompt, reply)
