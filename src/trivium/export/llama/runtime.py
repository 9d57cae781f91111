"""llama.cpp as a certificate asks it, through its Python bindings, with the template, tokens and stops of the file itself."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from trivium.errors import ModelError
from trivium.export.llama.convert import require_llama_cpp
from trivium.export.runtime import Logprobs
from trivium.sample import Message

_LEAST_CONTEXT = 512


class LlamaRuntime:
    """A GGUF file loaded on the CPU, an adapter laid over it where one is given.

    Raises `ModelError` when llama.cpp refuses a file, and `ConfigError` when it is not installed.
    """

    def __init__(self, file: Path, lora: Path | None = None) -> None:
        require_llama_cpp()
        self._file, self._lora = file, lora
        self._llama = self._load(_LEAST_CONTEXT)

    def close(self) -> None:
        """Free the weights."""
        self._llama.close()

    def render(self, messages: Sequence[Message], add_generation_prompt: bool) -> str:
        """By the template in the file, as the bindings' server renders it."""
        self._formatter.add_generation_prompt = add_generation_prompt
        return str(self._formatter(messages=list(messages)).prompt)

    def tokenize(self, text: str) -> list[int]:
        """By llama.cpp's own tokenizer; nothing is added."""
        return list(self._llama.tokenize(text.encode(), add_bos=False, special=True))

    def stops(self) -> frozenset[str]:
        """Every token that llama.cpp takes for the end of an answer, whether the file or their text says so; but not those
        between the files of a repository, at which it stops too and which no conversation holds.
        """
        from llama_cpp import llama_vocab_fim_pad, llama_vocab_fim_rep, llama_vocab_fim_sep

        vocabulary = self._llama._model.vocab
        between = {marker(vocabulary) for marker in (llama_vocab_fim_pad, llama_vocab_fim_rep, llama_vocab_fim_sep)}
        return frozenset(self._text(token) for token in self._ends - between)

    def greedy(self, ids: Sequence[int], max_new_tokens: int) -> list[int]:
        """The likeliest continuation."""
        llama = self._ready(len(ids) + max_new_tokens)
        answer: list[int] = []
        given = list(ids)
        while len(answer) < max_new_tokens:
            llama.eval(given)
            token = int(llama.scores[llama.n_tokens - 1].argmax())
            if token in self._ends:
                break
            answer.append(token)
            given = [token]
        return answer

    def logprobs(self, ids: Sequence[int], first: int) -> Logprobs:
        """(len(ids) - first, V), in nats."""
        llama = self._ready(len(ids))
        llama.eval(list(ids))
        logits = llama.scores[first : len(ids)].astype(np.float64)
        logits -= logits.max(1, keepdims=True)
        found: Logprobs = (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)
        return found

    @cached_property
    def _ends(self) -> frozenset[int]:
        from llama_cpp import llama_vocab_is_eog

        vocabulary = self._llama._model.vocab
        return frozenset(token for token in range(self._llama.n_vocab()) if llama_vocab_is_eog(vocabulary, token))

    @cached_property
    def _formatter(self) -> Any:
        from llama_cpp import llama_model_chat_template
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        template = llama_model_chat_template(self._llama.model, None)
        if template is None:
            raise ModelError(f"{self._file} has no chat template; set model.chat_template and export it again.")
        bos, eos = (self._text(token) for token in (self._llama.token_bos(), self._llama.token_eos()))
        return Jinja2ChatFormatter(template=template.decode(), bos_token=bos, eos_token=eos)

    def _text(self, token: int) -> str:
        return str(self._llama._model.token_get_text(token)) if token >= 0 else ""

    def _ready(self, tokens: int) -> Any:
        """The model with nothing in mind and room for so many tokens."""
        if tokens > self._llama.n_ctx():
            self._llama.close()
            self._llama = self._load(1 << (tokens - 1).bit_length())
        self._llama.reset()
        return self._llama

    def _load(self, n_ctx: int) -> Any:
        from llama_cpp import Llama

        lora = None if self._lora is None else str(self._lora)
        try:
            return Llama(str(self._file), n_ctx=n_ctx, logits_all=True, lora_path=lora, verbose=False)
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"llama.cpp cannot load {self._file} ({error}); export it again.") from error


@contextmanager
def opened(file: Path, lora: Path | None = None) -> Iterator[LlamaRuntime]:
    """A GGUF file, an adapter laid over it where one is given, while it is asked."""
    with closing(LlamaRuntime(file, lora)) as runtime:
        yield runtime
