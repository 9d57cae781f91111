"""Ollama as a certificate asks it: llama.cpp on the exported file, with templates and stops out of the Modelfile."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from trivium.errors import ModelError
from trivium.export import go_template, modelfile, template
from trivium.export.llama import LlamaRuntime, opened
from trivium.export.modelfile import Modelfile
from trivium.export.runtime import Logprobs
from trivium.sample import Message


class OllamaRuntime:
    """A model in llama.cpp under a Modelfile. `begin` is the text of the token that llama.cpp puts before every prompt;
    `system` the message that the Modelfile's SYSTEM should hold.
    """

    def __init__(self, llama: LlamaRuntime, file: Modelfile, begin: str = "", system: str | None = None) -> None:
        if file.template is None:
            raise ModelError("the Modelfile has no TEMPLATE; make the export again.")
        self._llama, self._file, self._template = llama, file, file.template
        self._begin, self._system = begin, system

    def render(self, messages: Sequence[Message], add_generation_prompt: bool) -> str:
        """By the Modelfile's TEMPLATE. Where a conversation is under the system message of the training, that is taken from
        the Modelfile, as Ollama does when a client sends none.
        """
        turns = list(messages)
        if self._system is not None and turns[0] == {"role": "system", "content": self._system}:
            turns[:1] = [] if self._file.system is None else [{"role": "system", "content": self._file.system}]
        text = self._begin + go_template.render(self._template, turns, add_generation_prompt)
        return text if add_generation_prompt else text + self._ends[turns[-1]["role"]]

    def tokenize(self, text: str) -> list[int]:
        """By llama.cpp."""
        return self._llama.tokenize(text)

    def stops(self) -> frozenset[str]:
        """Those of the Modelfile and of the GGUF file, save the texts that begin a user's turn."""
        return frozenset(text for text in self._file.stops() if text not in self._opening) | self._llama.stops()

    def greedy(self, ids: Sequence[int], max_new_tokens: int) -> list[int]:
        """By llama.cpp."""
        return self._llama.greedy(ids, max_new_tokens)

    def logprobs(self, ids: Sequence[int], first: int) -> Logprobs:
        """By llama.cpp."""
        return self._llama.logprobs(ids, first)

    @cached_property
    def _ends(self) -> dict[str, str]:
        """What the model's own template writes after a conversation in which nobody is to speak; Ollama never renders one."""
        return {"system": "", **template.parts(self._render_own).ends}

    def _render_own(self, messages: list[Message], add_generation_prompt: bool) -> str:
        from jinja2.exceptions import TemplateError

        try:
            return self._llama.render(messages, add_generation_prompt)
        except ModelError:
            raise
        except ValueError as error:  # how the bindings tell that a template refuses a conversation
            raise TemplateError(str(error)) from error

    @cached_property
    def _opening(self) -> str:
        """What the TEMPLATE writes before a later turn of the user, without blanks."""
        answer, second = "zqanswerqz", "zqsecondqz"
        turns: list[Message] = [{"role": "user", "content": "1"}, {"role": "assistant", "content": answer}]
        closed = go_template.render(self._template, turns, False).partition(answer)[2]
        longer = go_template.render(self._template, [*turns, {"role": "user", "content": second}], False)
        return longer.partition(answer)[2].partition(second)[0].removeprefix(closed).strip()


@contextmanager
def running(folder: Path, system: str | None) -> Iterator[OllamaRuntime]:
    """What the Modelfile in a folder runs, while it is asked."""
    file = modelfile.read((folder / "Modelfile").read_text(encoding="utf-8"))
    lora = None if file.adapter is None else folder / file.adapter
    with opened(folder / file.base, lora) as llama:
        yield OllamaRuntime(llama, file, begin_of(folder / file.base), system)


def begin_of(gguf: Path) -> str:
    """The text of the token that llama.cpp puts before every prompt; empty where it puts none."""
    import llama_cpp

    logging.getLogger("llama-cpp-python").setLevel(logging.ERROR)  # its name for what llama.cpp says
    settings = llama_cpp.llama_model_default_params()
    settings.vocab_only = True
    model = llama_cpp.llama_model_load_from_file(str(gguf).encode(), settings)
    if not model:
        raise ModelError(f"llama.cpp cannot load {gguf}; export it again.")
    try:
        vocabulary = llama_cpp.llama_model_get_vocab(model)
        if not llama_cpp.llama_vocab_get_add_bos(vocabulary):
            return ""
        return str(llama_cpp.llama_vocab_get_text(vocabulary, llama_cpp.llama_vocab_bos(vocabulary)).decode())
    finally:
        llama_cpp.llama_model_free(model)
