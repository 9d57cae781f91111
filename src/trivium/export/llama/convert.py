"""Hugging Face directories and PEFT adapters to GGUF; each file appears whole or not at all."""

import errno
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trivium.binding import nearest
from trivium.errors import ConfigError, ModelError
from trivium.export.kinds.merged import PRECISIONS
from trivium.export.llama import pre_tokenizer, source
from trivium.export.llama.table import tensor_types
from trivium.export.llama_driver import UNKNOWN_TOKENIZER, UNREADABLE
from trivium.models.low_rank import CONFIG, WEIGHTS, read_adapter

DIRECT = ("f32", "f16", "bf16", "q8_0")
"""Types that the converter writes; the others are quantised from a file in the model's own type."""
_FULL = ("No space left", "File too large", " requested and ")
"""How Python, and how NumPy, say that nothing more can be written."""
_ROOM = 1 << 20
"""Bytes that are free on a disk which is not full."""

Counts = dict[str, dict[str, int]]
"""For each type of file, how many tensors it holds in each type."""


def require_llama_cpp() -> None:
    """Raise `ConfigError` unless llama.cpp's Python bindings are installed."""
    from importlib.util import find_spec

    if find_spec("llama_cpp") is None:
        raise ConfigError(
            "GGUF files are quantised and checked with llama-cpp-python, which is not installed; run "
            "pip install 'trivium[gguf]' (it compiles llama.cpp: some minutes), or leave gguf, gguf_lora, ollama and lmstudio "
            "out of export=[…]."
        )


def write_model(model: Path, files: Mapping[str, Path], name: str, cache_dir: Path, named: str | None = None) -> Counts:
    """Write a model directory as GGUF, one file for each type; `name` is what the files call the model, `named` the
    pre-tokenizer that was set by hand.

    Raises `ModelError` when the converter knows the architecture or the tokenizer not, `ConfigError` for a pre-tokenizer that
    llama.cpp does not know, and `OSError` when the disk, or a file, may hold no more.
    """
    llama = source.find(cache_dir)
    folder = next(iter(files.values())).parent
    with tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as made:
        if named is not None:
            _require_known(llama, model, named, Path(made) / "vocabulary.gguf")
        parts = {kind: Path(made) / f"{kind}.gguf" for kind in files}
        direct = {kind: part for kind, part in parts.items() if kind in DIRECT}
        own = _own_type(model)
        if len(direct) < len(parts):
            direct.setdefault(own, Path(made) / f"{own}.gguf")
        _convert(llama, model, direct, name, named)
        for kind in set(parts) - set(direct):
            _run({"task": "quantise", "source": str(direct[own]), "file": str(parts[kind]), "kind": kind}, folder)
        _require_readable(next(iter(parts.values())))
        return _publish(parts, files)


def write_adapter(adapter: Path, base: Path, kind: str, file: Path, name: str, cache_dir: Path) -> dict[str, int]:
    """Write a PEFT adapter of a base model's directory as GGUF; returns how many tensors it holds in each type.

    Raises `ModelError` when the adapter is not plain LoRA.
    """
    llama = source.find(cache_dir)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".part-") as made:
        plain = Path(made) / name
        _write_plain(adapter, plain)
        part = Path(made) / "adapter.gguf"
        task = {"task": "lora", "llama": str(llama), "adapter": str(plain), "base": str(base), "kind": kind, "file": str(part)}
        _run(task, file.parent)
        return _publish({kind: part}, {kind: file})[kind]


def unexpected(kind: str, found: Mapping[str, int]) -> str | None:
    """What to say about a K-quant whose rows do not fit into blocks of 256, so that llama.cpp took other types for them."""
    odd = {other: count for other, count in found.items() if other not in ("f32", "f16", "bf16") and not other.endswith("_k")}
    if not kind.endswith(("_k", "_k_m", "_k_s")) or not odd:
        return None
    told = ", ".join(f"{count} as {other}" for other, count in odd.items())
    return f"rows that are not multiples of 256 long are stored in other types ({told} of {sum(found.values())} tensors)."


def _own_type(model: Path) -> str:
    """The type that holds the model's weights without loss."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    return PRECISIONS.get(str(config.get("dtype") or config.get("torch_dtype")), "f32")


def _convert(
    llama: Path, model: Path, parts: Mapping[str, Path], name: str, named: str | None, vocab_only: bool = False
) -> None:
    outputs = {kind: str(part) for kind, part in parts.items()}
    way = {"pre_tokenizer": named or pre_tokenizer.known(model), "always": named is not None, "vocab_only": vocab_only}
    task = {"task": "convert", "llama": str(llama), "model": str(model), "outputs": outputs, "name": name, **way}
    _run(task, next(iter(parts.values())).parent)


def _require_known(llama: Path, model: Path, named: str, file: Path) -> None:
    """Raise `ConfigError` for a pre-tokenizer that llama.cpp cannot load a vocabulary with, before any weight is converted."""
    _convert(llama, model, {"f32": file}, model.name, named, vocab_only=True)
    try:
        _require_readable(file)
    except ModelError as error:
        known = nearest(named, pre_tokenizer.names(llama))
        raise ConfigError(f"export.gguf.pre_tokenizer: set to {named!r}, which llama.cpp does not know; {known}") from error


def _require_readable(file: Path) -> None:
    """Raise `ModelError` unless llama.cpp loads the vocabulary of a written file, whose weights are then its own affair."""
    _run({"task": "vocabulary", "file": str(file)}, file.parent)


def _write_plain(adapter: Path, out: Path) -> None:
    """A copy that says everything in `lora_alpha` and `r`, which is all that the converter reads."""
    read_adapter(adapter)  # raises when it is more than two matrices a weight
    config = json.loads((adapter / CONFIG).read_text(encoding="utf-8"))
    if config.get("rank_pattern"):
        raise ModelError(f"{adapter} has different ranks (rank_pattern), which a GGUF adapter cannot say; export gguf instead.")
    if config.get("use_rslora"):
        config |= {"lora_alpha": config["lora_alpha"] * math.sqrt(config["r"]), "use_rslora": False}
    out.mkdir()
    (out / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    (out / WEIGHTS).symlink_to((adapter / WEIGHTS).resolve())


def _publish(parts: Mapping[str, Path], files: Mapping[str, Path]) -> Counts:
    """Read the tables of the finished parts and move them to their places."""
    found = {kind: tensor_types(part) for kind, part in parts.items()}
    for kind, part in parts.items():
        os.replace(part, files[kind])
    return found


def _run(task: Mapping[str, Any], folder: Path) -> None:
    """Let the driver do a task; `folder` is on the disk that it writes to."""
    command = [sys.executable, "-m", "trivium.export.llama_driver", json.dumps(task)]
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=said, env=_environment()) as driver:
            code = driver.wait()  # the driver goes when this process does, for its end of the pipe closes
        said.seek(0)
        if code:
            raise _failure(task["task"], code, said.read().decode(errors="replace"), folder)


def _failure(task: str, code: int, said: str, folder: Path) -> Exception:
    full = shutil.disk_usage(folder).free < _ROOM
    if full or any(words in said for words in _FULL):
        reason = errno.ENOSPC if full or not _limited() else errno.EFBIG
        return OSError(reason, os.strerror(reason), str(folder))
    if code == UNKNOWN_TOKENIZER:
        return ModelError(
            "llama.cpp's converter does not know how this tokenizer cuts text into words (pre_tokenizer in tokenizer.json); "
            "name the nearest of llama.cpp's own with export.gguf.pre_tokenizer=… (llama-bpe, qwen2, gpt-2, …): the "
            "certificate then tells whether the tokens are the same."
        )
    if code == UNREADABLE:
        return ModelError(
            "llama.cpp cannot load the vocabulary that its converter wrote; the converter may be newer than the installed "
            f"llama-cpp-python: leave {source.VARIABLE} unset, or install the bindings of the same release."
        )
    return ModelError(f"llama.cpp could not {task} it: {_reason(said.splitlines(), code)}")


def _limited() -> bool:
    """Whether the size of a file is limited (`ulimit -f`)."""
    import resource

    return resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY


def _environment() -> dict[str, str]:
    """No code of the network's and no progress bars; the converter has its own ideas of both."""
    return {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}


def _reason(lines: Sequence[str], code: int) -> str:
    """The last line that says something, which is where both Python and the converter give the reason."""
    said = [line.strip() for line in lines if line.strip() and "%|" not in line]  # no bars of progress
    if code < 0:
        return f"it was ended by signal {-code}."
    return f"{said[-1][:300].rstrip('.')}." if said else f"it ended with code {code}."
