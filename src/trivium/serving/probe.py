"""The question that a server is tried with, and the answer that transformers gave to it."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trivium.artifact import MANIFEST
from trivium.console import Screen
from trivium.data import chat
from trivium.data.jsonl import read_samples
from trivium.errors import TriviumError
from trivium.evaluation.items import LONGEST
from trivium.generation.server import NoReply, Server
from trivium.models.generate import GREEDY
from trivium.models.load import load_tokenizer
from trivium.sample import Message, Sample
from trivium.schema import Config, NoneConfig
from trivium.scores.completion import split
from trivium.serving.speakers import speakers

_ANY = "What do you know?"
_SHORT = 32
"""Tokens of an answer that is only given for comparison."""


@dataclass(frozen=True)
class Probe:
    """A conversation, the tuned model's greedy answer to it (thinking left out), the most tokens that it could have, and who
    gave it.
    """

    messages: list[Message]
    answer: str
    max_new_tokens: int
    by: str = "the evaluation"


def probe(config: Config, run: Path, prepared: Path | None, screen: Screen) -> Probe:
    """A question of the run's evaluation with the answer given there; where none was answered freely, one answered now."""
    found = next(_evaluated(config, run, prepared), None)
    return found or _answered_now(config, run, prepared, screen)


def ask(config: Config, base_url: str, model: str, probe: Probe, base: str) -> str:
    """The server's answer by the `openai` client, thinking left out; raises `TriviumError` where there is none."""
    request = {"model": model, "messages": probe.messages, "temperature": 0, "max_tokens": probe.max_new_tokens}
    try:
        text = _aside(lambda: asyncio.run(_reply(config, base_url, request)))
    except NoReply as error:
        raise TriviumError(f"serve={config.serve.name} is up at {base_url} and gives no answer ({error}).") from None
    return chat.reader(load_tokenizer(config.model, base), config.dataset.chat)(text.strip()).answer


def _aside(ask: Callable[[], str]) -> str:
    """What a call returns, made in a thread of its own: a signal meanwhile interrupts the waiting, and nothing half-way."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(ask).result()
    finally:
        pool.shutdown(wait=False)


async def _reply(config: Config, base_url: str, request: Mapping[str, Any]) -> str:
    async with Server(base_url, request["model"], "", config.serve.timeout, 0, "serve") as server:
        return (await server.ask(request)).text


def _evaluated(config: Config, run: Path, prepared: Path | None) -> Iterator[Probe]:
    if isinstance(config.evaluation, NoneConfig):
        return
    longest = config.evaluation.max_new_tokens or getattr(config.method, "max_completion_length", None) or LONGEST
    rows = list(_rows(run / "evaluation"))
    ids = {row["id"] for row in rows}
    samples = {sample.id: sample for sample in _heldout(prepared) if sample.id in ids}
    for row in rows:
        if messages := _messages(config, row, samples):
            yield Probe(messages, split(row["completion"], chat.tags(config.dataset.chat)).answer, longest)


def _heldout(prepared: Path | None) -> Iterator[Sample]:
    path = prepared / "heldout.jsonl" if prepared else None
    if path is not None and path.is_file():
        yield from read_samples(path)


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Items that were answered freely, with some answer."""
    for path in sorted(folder.glob("*.json")):
        rows = [] if path.name == MANIFEST else json.loads(path.read_text(encoding="utf-8"))
        yield from (row for row in rows if isinstance(row, dict) and row.get("completion"))


def _messages(config: Config, row: Mapping[str, Any], samples: Mapping[str, Sample]) -> list[Message] | None:
    if (sample := samples.get(row["id"])) is not None and sample.prompt:
        return chat.prompt(sample, config.dataset.chat)
    return chat.question(row["prompt"], config.dataset.chat) if "prompt" in row else None


def _answered_now(config: Config, run: Path, prepared: Path | None, screen: Screen) -> Probe:
    question = next((sample.question for sample in _heldout(prepared) if sample.question), _ANY)
    tuned = speakers(replace(config, talk=replace(config.talk, base=False)), run, screen)[0]
    said = tuned.answer(question, config.dataset.chat.system, _SHORT, GREEDY)
    return Probe(chat.question(question, config.dataset.chat), said.answer, _SHORT, "transformers")
