"""How a byte-level BPE cuts text into words before it merges: llama.cpp knows some ways, by name."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from trivium.export.llama_driver import CONVERTER

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_WORD, _MARKS = r"[^\r\n\p{L}\p{N}]?\p{L}+", r" ?[^\s\p{L}\p{N}]+[\r\n]*"
_BLANKS = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CASED = (rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+", rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*")

_THREE_DIGITS = f"{_CONTRACTIONS}|{_WORD}|\\p{{N}}{{1,3}}|{_MARKS}|{_BLANKS}"
_ONE_DIGIT = f"{_CONTRACTIONS}|{_WORD}|\\p{{N}}|{_MARKS}|{_BLANKS}"
_MARKED = (
    f"{_CONTRACTIONS}|[^\\r\\n\\p{{L}}\\p{{N}}]?[\\p{{L}}\\p{{M}}]+|\\p{{N}}"
    f"| ?[^\\s\\p{{L}}\\p{{M}}\\p{{N}}]+[\\r\\n]*|{_BLANKS}"
)
_MANY = f"{_CASED[0]}{_CONTRACTIONS}?|{_CASED[1]}{_CONTRACTIONS}?|\\p{{N}}{{1,3}}| ?[^\\s\\p{{L}}\\p{{N}}]+[\\r\\n/]*|{_BLANKS}"
_TEKKEN = f"{_CASED[0]}|{_CASED[1]}|\\p{{N}}| ?[^\\s\\p{{L}}\\p{{N}}]+[\\r\\n/]*|{_BLANKS}"

_BYTES, _WORDS_AND_BYTES, _DIGITS = "bytes", "words, bytes", "digits"

NAMES: dict[tuple[tuple[str, ...], bool], str] = {
    ((_THREE_DIGITS, _BYTES), True): "llama-bpe",
    ((_THREE_DIGITS, _BYTES), False): "smaug-bpe",
    ((_ONE_DIGIT, _BYTES), False): "qwen2",
    ((_MARKED, _BYTES), False): "qwen35",
    ((_MANY, _BYTES), False): "gpt-4o",
    ((_TEKKEN, _BYTES), True): "tekken",
    ((_WORDS_AND_BYTES,), False): "gpt-2",
    ((_DIGITS, _WORDS_AND_BYTES), False): "smollm",
}
"""llama.cpp's names, by the steps of a tokenizer and whether whole words of the vocabulary are taken without merging."""
_NAMED = re.compile(r'\bres = "([\w.-]+)"')
"""Where the converter's source gives a tokenizer its name."""


def known(folder: Path) -> str | None:
    """llama.cpp's name for the way of the tokenizer in a model directory, or None where it is none of the `NAMES`."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    model = tokenizer.get("model") or {}
    if model.get("type", "BPE") != "BPE":
        return None
    steps = tuple(_steps(tokenizer.get("pre_tokenizer") or {}))
    return NAMES.get((steps, bool(model.get("ignore_merges"))))


def names(llama: Path) -> set[str]:
    """Those that the converter in a folder writes into its files, and ours."""
    files = [llama / CONVERTER, *(llama / "conversion").glob("*.py")]
    found = (_NAMED.findall(file.read_text(encoding="utf-8")) for file in files if file.is_file())
    return {*NAMES.values(), *chain.from_iterable(found)}


def _steps(step: Mapping[str, Any]) -> Iterator[str]:
    """The steps in words that can be compared; settings that change no token are left out."""
    kind = step.get("type")
    if kind == "Sequence":
        for part in step["pretokenizers"]:
            yield from _steps(part)
    elif kind == "Split" and step["behavior"] == "Isolated" and not step["invert"] and "Regex" in step["pattern"]:
        yield step["pattern"]["Regex"]
    elif kind == "ByteLevel" and not step["add_prefix_space"]:
        yield _WORDS_AND_BYTES if step.get("use_regex", True) else _BYTES
    elif kind == "Digits" and step["individual_digits"]:
        yield _DIGITS
    else:
        yield f"{kind}: {json.dumps(step, sort_keys=True)}"
