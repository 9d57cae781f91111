"""The far side of `llama.convert`: runs llama.cpp's scripts and its quantiser in a process of its own.

`python -m trivium.export.llama_driver '{"task": …, …}'`; the rest of the object are the task's arguments.
"""

import json
import os
import runpy
import sys
import threading
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

CONVERTER, LORA_CONVERTER = "convert_hf_to_gguf.py", "convert_lora_to_gguf.py"
UNKNOWN_TOKENIZER = 64
"""Exit code for a byte-level BPE that neither the converter nor we have a name for."""
UNREADABLE = 65
"""Exit code for a file whose vocabulary llama.cpp does not load."""
_KNOWN_ENDS = ("<|eot_id|>", "<|im_end|>", "<|end|>", "<|endoftext|>", "<|end_of_text|>", "<|eom_id|>", "<end_of_turn>", "</s>")
"""Tokens at which llama.cpp stops by their text, whatever a file says."""


def convert(
    llama: str,
    model: str,
    outputs: dict[str, str],
    name: str,
    pre_tokenizer: str | None,
    always: bool,
    vocab_only: bool,
) -> None:
    """Write a model directory as GGUF, one file for each type, or its vocabulary alone; `pre_tokenizer` is used where the
    converter knows none, or always.
    """
    script = _load(Path(llama) / CONVERTER)
    _name_pre_tokenizer(script, pre_tokenizer, always)
    _say_all_of_vocabulary()
    part = ["--vocab-only"] if vocab_only else []
    for kind, file in outputs.items():
        sys.argv = [CONVERTER, model, "--outtype", kind, "--outfile", file, "--model-name", name, *part]
        script.main()


def lora(llama: str, adapter: str, base: str, kind: str, file: str) -> None:
    """Write a PEFT adapter as GGUF."""
    _reach(Path(llama))
    sys.argv = [LORA_CONVERTER, "--base", base, "--outtype", kind, "--outfile", file, adapter]
    runpy.run_path(str(Path(llama) / LORA_CONVERTER), run_name="__main__")


def quantise(source: str, file: str, kind: str) -> None:
    """Write a GGUF file in another type."""
    import llama_cpp

    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind.upper()}")
    if llama_cpp.llama_model_quantize(source.encode(), file.encode(), settings):
        raise SystemExit(f"llama.cpp could not quantise to {kind}")


def vocabulary(file: str) -> None:
    """Load a GGUF file's vocabulary, as every program built on llama.cpp will."""
    import llama_cpp

    settings = llama_cpp.llama_model_default_params()
    settings.vocab_only = True
    model = llama_cpp.llama_model_load_from_file(file.encode(), settings)
    if not model:
        raise SystemExit(UNREADABLE)
    llama_cpp.llama_model_free(model)


def _reach(llama: Path) -> None:
    sys.path[:0] = [str(llama), str(llama / "gguf-py")]


def _load(script: Path) -> Any:
    """The converter as a module, not yet run."""
    _reach(script.parent)
    spec = spec_from_file_location(script.stem, script)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{script} is no Python file")
    module = sys.modules[script.stem] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _name_pre_tokenizer(script: Any, name: str | None, always: bool) -> None:
    """Answer in the converter's stead, which knows pre-tokenizers by a hash of the tokens that they lead to."""
    room = script if hasattr(script, "TextModel") else sys.modules["conversion.base"]
    asked: Callable[[Any, Any], str] = room.TextModel.get_vocab_base_pre

    def answer(model: Any, tokenizer: Any) -> str:
        if name is not None and always:
            return name
        try:
            return asked(model, tokenizer)
        except NotImplementedError:
            if name is None:
                raise SystemExit(UNKNOWN_TOKENIZER) from None
            return name

    room.TextModel.get_vocab_base_pre = answer


def _say_all_of_vocabulary() -> None:
    """Write down what llama.cpp would otherwise guess: that no token is added in front, and every token that ends a turn."""
    import gguf

    read = gguf.SpecialVocab._load

    def load(vocab: Any, path: Path) -> None:
        read(vocab, path)
        for kind in ("bos", "eos"):
            vocab.add_special_token.setdefault(kind, False)
        for kind, token in zip(("eot", "eom"), _further_ends(path, vocab.special_token_ids.get("eos")), strict=False):
            vocab.special_token_ids.setdefault(kind, token)

    gguf.SpecialVocab._load = load


def _further_ends(model: Path, eos: int | None) -> list[int]:
    """Ids at which the generation settings stop beside the end token, but for those that llama.cpp finds by itself."""
    file = model / "generation_config.json"
    ends = json.loads(file.read_text(encoding="utf-8")).get("eos_token_id") if file.is_file() else None
    texts = {row["id"]: row["content"] for row in _added_tokens(model)}
    return [end for end in (ends if isinstance(ends, list) else []) if end != eos and texts.get(end) not in _KNOWN_ENDS]


def _added_tokens(model: Path) -> list[dict[str, Any]]:
    file = model / "tokenizer.json"
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["added_tokens"] if file.is_file() else []
    return found


def _go_with_parent() -> None:
    """End when whoever started this process is gone: its end of the pipe closes."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


TASKS: dict[str, Callable[..., None]] = {
    "convert": convert,
    "lora": lora,
    "quantise": quantise,
    "vocabulary": vocabulary,
}

if __name__ == "__main__":
    _go_with_parent()
    given = json.loads(sys.argv[1])
    TASKS[given.pop("task")](**given)
