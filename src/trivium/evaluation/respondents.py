"""Whoever is evaluated: a model, or in the tests a dummy that must fail."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from trivium.data import chat
from trivium.evaluation.loglik import Pair
from trivium.evaluation.suites import Item
from trivium.sample import Message, Sample
from trivium.schema import ChatConfig


class Reading(NamedTuple):
    """How surprising a text was: negative log-likelihood in nats over its tokens, and its length in bytes (UTF-8)."""

    nats: float
    tokens: int
    bytes: int


class Respondent(Protocol):
    """What an evaluation asks of a model."""

    def choose(self, items: Sequence[Item]) -> list[list[float]]:
        """A score for each option of each item, in the order shown; the highest is the choice."""

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        """A free answer to each item, without the prompt and the thinking."""

    def complete(self, samples: Sequence[Sample], max_new_tokens: int) -> list[str]:
        """The next turn of each conversation, thinking included."""

    def read(self, samples: Sequence[Sample]) -> list[Reading]:
        """How surprising each document is."""


class ModelRespondent(ABC):
    """A causal language model, of whatever library, under the chat template that it was trained with."""

    def __init__(self, tokenizer: Any, chat_config: ChatConfig, batch_tokens: int, max_length: int) -> None:
        self._tokenizer, self._chat = tokenizer, chat_config
        self._batch_tokens, self._max_length = batch_tokens, max_length
        self._read = chat.reader(tokenizer, chat_config)

    @abstractmethod
    def _nats(self, pairs: Sequence[Pair]) -> list[float]:
        """Negative log-likelihood in nats of each pair's scored tokens, summed."""

    @abstractmethod
    def _generate(self, prompts: list[list[int]], max_new_tokens: int) -> list[str]:
        """Greedy continuations of a batch of prompts, without special tokens."""

    def choose(self, items: Sequence[Item]) -> list[list[float]]:
        """Mean log-likelihood per byte of each option as the assistant's turn.

        Dividing by bytes keeps short options from winning by being short; among options of one length it changes nothing.
        """
        pairs = [self._pair(chat.question(item.prompt, self._chat), option.text) for item in items for option in item.options]
        scores = iter(self._nats(pairs))
        return [[-next(scores) / len(option.text.encode()) for option in item.options] for item in items]

    def answer(self, items: Sequence[Item], max_new_tokens: int) -> list[str]:
        """Greedy answers under the configured system message."""
        texts = self._turns([chat.question(item.prompt, self._chat) for item in items], max_new_tokens)
        return [self._read(text).answer for text in texts]

    def complete(self, samples: Sequence[Sample], max_new_tokens: int) -> list[str]:
        """Greedy completions of the samples' prompts."""
        texts = self._turns([chat.prompt(sample, self._chat) for sample in samples], max_new_tokens)
        return [self._read(text).text for text in texts]

    def _turns(self, conversations: list[list[Message]], max_new_tokens: int) -> list[str]:
        """Greedy next turns of conversations, generated in batches of similar length."""
        prompts = [chat.prompt_ids(self._tokenizer, conversation) for conversation in conversations]
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        answers = [""] * len(prompts)
        for batch in self._batches(order, prompts, max_new_tokens):
            for index, text in zip(batch, self._generate([prompts[i] for i in batch], max_new_tokens), strict=True):
                answers[index] = text
        return answers

    def read(self, samples: Sequence[Sample]) -> list[Reading]:
        """Negative log-likelihood of the assistant's turns, cut at the model's training length."""
        pairs, sizes = [], []
        for sample in samples:
            messages = chat.to_messages(sample, self._chat)
            encoded = chat.encode(self._tokenizer, messages, self._max_length)
            pairs.append(Pair(encoded.input_ids, encoded.assistant_mask))
            sizes.append(self._bytes(encoded, messages))
        nats = self._nats(pairs)
        return [Reading(n, sum(p.mask[1:]), size) for n, p, size in zip(nats, pairs, sizes, strict=True)]

    def _bytes(self, encoded: chat.Encoded, messages: list[Message]) -> int:
        """Bytes of the assistant's text that the tokens cover; the whole of it unless it was cut."""
        whole = sum(len(m["content"].encode()) for m in messages if m["role"] == "assistant")
        if len(encoded.input_ids) < self._max_length:
            return whole
        kept = [token for token, on in zip(*encoded, strict=True) if on]
        return min(whole, len(self._tokenizer.decode(kept, skip_special_tokens=True).encode()))

    def _pair(self, messages: list[Message], answer: str) -> Pair:
        whole = chat.encode(self._tokenizer, [*messages, {"role": "assistant", "content": answer}], self._max_length * 8)
        return Pair(whole.input_ids, whole.assistant_mask)

    def _batches(self, order: list[int], prompts: list[list[int]], extra: int) -> list[list[int]]:
        batches: list[list[int]] = [[]]
        for index in order:
            if batches[-1] and (len(batches[-1]) + 1) * (len(prompts[index]) + extra) > self._batch_tokens:
                batches.append([])
            batches[-1].append(index)
        return [batch for batch in batches if batch]
