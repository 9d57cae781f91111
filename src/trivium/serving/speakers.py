"""Who is talked to: the base model and what a run made of it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from trivium import stages
from trivium.console import Screen
from trivium.data import chat
from trivium.errors import DataError
from trivium.models.generate import Sampling, generate
from trivium.models.load import load_base, load_tokenizer, load_tuned
from trivium.sample import Message
from trivium.schema import ChatConfig, Config, LoraAdapter
from trivium.scores.completion import Completion

_SHORTEST = 16
"""Tokens that an answer may have, at least; older turns are left out of the prompt for them."""


@dataclass
class Speaker:
    """A model under its chat template, with the conversation that it has had. `bare` answers without its adapter."""

    name: str
    model: Any
    tokenizer: Any
    chat: ChatConfig
    bare: bool = False
    turns: list[Message] = field(default_factory=list)
    forgotten: int = 0
    """Turns that the last prompt had no room for."""

    def __post_init__(self) -> None:
        self._read = chat.reader(self.tokenizer, self.chat)

    def answer(
        self,
        question: str,
        system: str | None,
        max_new_tokens: int,
        sampling: Sampling,
        heard: Callable[[str], None] | None = None,
    ) -> Completion:
        """The next turn, remembered once it is finished; `heard` is told the text so far.

        Raises `DataError` for what the template or the context does not take.
        """
        asked: list[Message] = [*self.turns, {"role": "user", "content": question}]
        ids, self.forgotten = self._prompt(asked, system)
        longest = min(max_new_tokens, self._context() - len(ids))
        tell = (lambda tokens: heard(self._text(tokens))) if heard else None
        with self._adapter():
            text = generate(self.model, self.tokenizer, [ids], longest, sampling, tell)[0]
        said = self._read(text)
        self.turns = [*asked, {"role": "assistant", "content": said.answer}]
        return said

    def _prompt(self, asked: list[Message], system: str | None) -> tuple[list[int], int]:
        """Token ids of a conversation, and how many of its oldest turns had to be left out."""
        first: list[Message] = [{"role": "system", "content": system}] if system else []
        for left_out in range(0, len(asked), 2):
            try:
                ids = chat.prompt_ids(self.tokenizer, [*first, *asked[left_out:]])
            except TemplateError as error:
                raise DataError(f"the chat template of {self.name} does not take this conversation ({error}).") from None
            if len(ids) + _SHORTEST <= self._context():
                return ids, left_out
        raise DataError(f"this is {len(ids)} tokens long, and {self.name} reads {self._context()}; say it in fewer words.")

    def _context(self) -> int:
        """Tokens that prompt and answer may have together."""
        positions = getattr(self.model.config, "max_position_embeddings", None)
        longest: int = self.tokenizer.model_max_length
        return min(longest, positions or longest)

    def _text(self, tokens: list[int]) -> str:
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True)
        return text.strip()

    def _adapter(self) -> AbstractContextManager[None]:
        """Off where it is the base model that speaks."""
        off: AbstractContextManager[None] = self.model.disable_adapter() if self.bare else nullcontext()
        return off


def speakers(config: Config, run: Path, screen: Screen) -> list[Speaker]:
    """The base model, unless `talk.base=false`, and the tuned one.

    They share their weights where the run trained an adapter on the base model itself.
    """
    base, _ = stages.taken_up(config, run, screen)
    tokenizer = load_tokenizer(config.model, base[0])
    tuned = Speaker("tuned", load_tuned(config.model, config.hardware, base[0], run), tokenizer, config.dataset.chat)
    if not config.talk.base:
        return [tuned]
    if config.starts_from is None and isinstance(config.adapter, LoraAdapter):
        return [Speaker("base", tuned.model, tokenizer, config.dataset.chat, bare=True), tuned]
    origin = stages.base_model(config, screen)[0]
    untuned = load_base(config.model, config.hardware, origin)
    return [Speaker("base", untuned, load_tokenizer(config.model, origin), config.dataset.chat), tuned]
