"""Safetensors files read and written tensor by tensor, so that a model of any size passes through a few megabytes."""

import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

from trivium.errors import ModelError

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
"""Floating types: their code in a file, and their name."""
_BLOCK = 1 << 19
"""Bytes that a thread has under way."""
_ALIGNMENT = 8
_WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}

Change = Callable[[Any, int], Any]
"""Takes float32 rows of a tensor, which it may write over, and the number of the first; returns the new rows."""


class Entry(NamedTuple):
    """A tensor in a file; `start` and `size` in bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    size: int


class Shard(NamedTuple):
    """A file's table of contents, in the order of the bytes."""

    path: Path
    metadata: dict[str, str]
    entries: list[Entry]


def shards(folder: Path) -> list[Shard]:
    """The files that a model directory's weights lie in.

    Raises `ModelError` when one is missing or damaged.
    """
    if (folder / WHOLE).is_file():
        return [_read(folder / WHOLE)]
    if not (folder / INDEX).is_file():
        raise ModelError(f"{folder} has neither {WHOLE} nor {INDEX}; save the model there with save_pretrained.")
    try:
        names = sorted(set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError) as error:
        raise ModelError(f"{folder / INDEX} is damaged ({error}); download the model again.") from error
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ModelError(f"{folder} lacks {missing[0]}, which its index names; download the model again.")
    return [_read(folder / name) for name in names]


def rewrite(shard: Shard, target: Path, changes: Mapping[str, Change], dtype: str | None = None) -> list[Entry]:
    """Write a file with the same tensors, some of them changed, floating ones as `dtype` (a code; None keeps each).

    Returns the new entries. Raises `ModelError` when a changed number cannot be written in its type, and leaves no file
    behind then, nor after any other failure.
    """
    entries = _placed(shard, dtype)
    header = _header(shard.metadata, entries)
    try:
        with shard.path.open("rb") as source, target.open("xb") as file:
            file.write(header)
            file.flush()
            parts = zip(shard.entries, (entry._replace(start=entry.start + len(header)) for entry in entries), strict=True)
            _all([partial(_pass, source, file, old, new, changes.get(old.name)) for old, new in parts])
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return entries


def write_index(folder: Path, parts: Mapping[str, list[Entry]]) -> None:
    """The index of several files, which are named by the keys."""
    total = sum(entry.size for entries in parts.values() for entry in entries)
    places = {entry.name: name for name, entries in parts.items() for entry in entries}
    content = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
    (folder / INDEX).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _read(path: Path) -> Shard:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt"):
            pass  # it checks that the table is sound and covers the file
    except SafetensorError as error:
        raise ModelError(f"{path} is damaged ({error}); download or make the model again.") from error
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        table = json.loads(file.read(length))
    metadata = table.pop("__metadata__", {})
    entries = [_entry(name, row, 8 + length) for name, row in table.items()]
    return Shard(path, metadata, sorted(entries, key=lambda entry: entry.start))


def _entry(name: str, row: Mapping[str, Any], offset: int) -> Entry:
    start, end = row["data_offsets"]
    return Entry(name, row["dtype"], tuple(row["shape"]), offset + start, end - start)


def _placed(shard: Shard, dtype: str | None) -> list[Entry]:
    """The entries of the new file, their places counted from the end of its header."""
    placed, end = [], 0
    for old in shard.entries:
        new = dtype if dtype is not None and old.dtype in FLOATS else old.dtype
        size = old.size if new == old.dtype else old.size // _WIDTHS[old.dtype] * _WIDTHS[new]
        placed.append(Entry(old.name, new, old.shape, end, size))
        end += size
    return placed


def _header(metadata: dict[str, str], entries: list[Entry]) -> bytes:
    table: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    for entry in entries:
        places = [entry.start, entry.start + entry.size]
        table[entry.name] = {"dtype": entry.dtype, "shape": list(entry.shape), "data_offsets": places}
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def _all(parts: list[Callable[[], None]]) -> None:
    """Do them on as many threads as PyTorch uses: every tensor has its place, whichever is done first."""
    import torch

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        try:
            for done in as_completed([pool.submit(part) for part in parts]):
                done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _pass(source: IO[bytes], target: IO[bytes], old: Entry, new: Entry, change: Change | None) -> None:
    """One tensor from its old place to its new one, some rows at a time, or some bytes of one that stays as it is."""
    same = change is None and old.dtype == new.dtype
    rows = old.size if same else (*old.shape, 1)[0]
    if not old.size:
        return
    width, step = old.size // rows, max(1, _BLOCK * rows // old.size)
    block = memoryview(bytearray(min(step, rows) * width))
    for first in range(0, rows, step):
        part = block[: (rows - first) * width]
        _read_at(source, part, old.start + first * width)
        made = part if same else _converted(part, first, old, new, change)
        _write_at(target, made, new.start + first * (new.size // rows))


def _converted(part: memoryview, first: int, old: Entry, new: Entry, change: Change | None) -> memoryview:
    """Some rows in their new type, changed."""
    import torch

    before, after = (getattr(torch, FLOATS[entry.dtype]) for entry in (old, new))
    rows = torch.frombuffer(part, dtype=before).view(-1, *old.shape[1:])
    found = rows if change is None else change(rows.float(), first)
    _require_finite(found, after, new)
    made: Any = found.to(after).contiguous().view(-1).view(torch.uint8).numpy()
    return memoryview(made)


def _require_finite(found: Any, kind: Any, entry: Entry) -> None:
    import torch

    low, high = found.aminmax()
    if not (-torch.finfo(kind).max <= low and high <= torch.finfo(kind).max):  # NaN is neither
        raise ModelError(
            f"{entry.name} has numbers that are not finite or leave the range of {FLOATS[entry.dtype]}; use bfloat16 or "
            "float32, or train again at a lower learning rate."
        )


def _read_at(file: IO[bytes], block: memoryview, place: int) -> None:
    if os.preadv(file.fileno(), [block], place) != len(block):
        raise ModelError(f"{file.name} ended before its time; is another program writing it?")


def _write_at(file: IO[bytes], block: memoryview, place: int) -> None:
    while block:
        written = os.pwrite(file.fileno(), block, place)
        block, place = block[written:], place + written
