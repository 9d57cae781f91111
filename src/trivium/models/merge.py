"""Merged weights: a base model with what a run trained, as an ordinary Hugging Face directory, never whole in memory."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivium.errors import ModelError
from trivium.models.load import ADAPTER_DIR, MODEL_DIR, load_tokenizer, loading, local_folder, require_files
from trivium.models.low_rank import LowRank, read_adapter
from trivium.models.quiet import quiet
from trivium.models.shards import FLOATS, Change, Entry, Shard, rewrite, shards, write_index
from trivium.schema import HardwareConfig, ModelConfig

_CODES = {name: code for code, name in FLOATS.items()}
TAKEN = ["*config.json", "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt"]
TAKEN += ["chat_template*", "model*.safetensors", "model.safetensors.index.json"]
"""The files that a model consists of, as patterns."""
_WAY_OUT = "set model.path to the model that it was trained on (base_model_name_or_path in its adapter_config.json)."
_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight", "tok_embeddings.weight")


def merge(model: ModelConfig, hardware: HardwareConfig, base: str, run_dir: Path, out: Path) -> None:
    """Write the weights that `run_dir` trained on `base`, its adapter folded in, with the tokenizer, into `out`.

    The weights are written in `hardware.dtype`. Raises what `fold` raises.
    """
    fold(model, base, run_dir, out, hardware.dtype)


def fold(model: ModelConfig, base: str, run_dir: Path, out: Path, dtype: str | None = None) -> str:
    """The same in another type of weights, None for that of `base`; returns the type of most of them.

    Sums are taken in float32 and rounded once. Raises `ModelError` when the run holds no finished training, the adapter is
    for another base or cannot be folded in, the tokenizer is not the base's, or a file is damaged.
    """
    source, changes = _trained(model, base, run_dir)
    files = shards(source)
    fitting = _fitting(changes, files, base, run_dir)
    tokenizer = load_tokenizer(model, base)
    _require_vocabulary(tokenizer, files, base)
    out.mkdir(parents=True, exist_ok=True)
    code = _CODES[dtype] if dtype else None
    parts = {shard.path.name: rewrite(shard, out / shard.path.name, fitting, code) for shard in files}
    if len(parts) > 1:
        write_index(out, parts)
    written = _main_type(parts)
    _write_config(source, out, written)
    with quiet():
        tokenizer.save_pretrained(out)
    _copy(source, out, "generation_config.json", "tokenizer.model")
    return written


def model_folder(model: ModelConfig, path: str) -> Path:
    """The folder of a model: the directory that `path` names, or the hub's copy of it, fetched where it is not here yet."""
    require_files(path)
    folder = local_folder(path)
    if folder is not None:
        return folder
    from huggingface_hub import snapshot_download

    with quiet(), loading(path, "the weights"):
        return Path(snapshot_download(path, revision=model.revision, allow_patterns=TAKEN))


def _trained(model: ModelConfig, base: str, run_dir: Path) -> tuple[Path, Mapping[str, LowRank]]:
    """The folder whose weights are taken, and what is added to some of them."""
    if (run_dir / MODEL_DIR).is_dir():
        return run_dir / MODEL_DIR, {}
    if not (run_dir / ADAPTER_DIR / "adapter_config.json").is_file():
        raise ModelError(f"{run_dir} holds neither {MODEL_DIR}/ nor {ADAPTER_DIR}/ of a finished training; train first.")
    adapter = read_adapter(run_dir / ADAPTER_DIR)
    return model_folder(model, base), adapter


def _fitting(changes: Mapping[str, LowRank], files: list[Shard], base: str, run_dir: Path) -> dict[str, Change]:
    """The changes by the names that their weights have in the files."""
    there = {entry.name: entry for shard in files for entry in shard.entries}
    found: dict[str, Change] = {}
    for name, change in changes.items():
        # Some files lack the first word of every name: they were saved without the head.
        entry = there.get(name) or there.get(name.partition(".")[2])
        if entry is None:
            raise ModelError(f"the adapter in {run_dir} changes {name}, which {base} does not have; {_WAY_OUT}")
        _require_fit(entry, change, base, run_dir)
        found[entry.name] = change
    return found


def _require_fit(entry: Entry, change: LowRank, base: str, run_dir: Path) -> None:
    if entry.dtype not in FLOATS:
        raise ModelError(
            f"{base} holds {entry.name} quantised ({entry.dtype}), so nothing can be added to it; set model.path to the "
            "unquantised model."
        )
    if entry.shape != change.shape:
        raise ModelError(
            f"the adapter in {run_dir} is for a {entry.name} of {change.shape}, and that of {base} is {entry.shape}; {_WAY_OUT}"
        )


def _require_vocabulary(tokenizer: Any, files: list[Shard], base: str) -> None:
    rows = [entry.shape[0] for shard in files for entry in shard.entries if entry.name.endswith(_EMBEDDINGS)]
    needed = max(tokenizer.get_vocab().values()) + 1
    if rows and needed > rows[0]:
        raise ModelError(
            f"the tokenizer of {base} has {needed} entries and the weights only {rows[0]}, so they are not of one model; put "
            "the model's own tokenizer files there."
        )


def _main_type(parts: Mapping[str, list[Entry]]) -> str:
    sizes: dict[str, int] = {}
    for entry in (entry for entries in parts.values() for entry in entries if entry.dtype in FLOATS):
        sizes[entry.dtype] = sizes.get(entry.dtype, 0) + entry.size
    return FLOATS[max(sizes, key=lambda code: sizes[code])]


def _write_config(source: Path, out: Path, dtype: str) -> None:
    """The settings as they are, but for the type of the weights."""
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    for part in (config, *(value for value in config.values() if isinstance(value, dict))):
        for key in ("dtype", "torch_dtype"):
            if key in part:
                part[key] = dtype
    config["dtype"] = dtype
    (out / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _copy(source: Path, out: Path, *names: str) -> None:
    """Files that are there and that nothing else writes; converters look for the vocabulary of SentencePiece."""
    for name in names:
        if (source / name).is_file() and not (out / name).exists():
            shutil.copyfile(source / name, out / name)
