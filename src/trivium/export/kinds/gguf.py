"""The merged model as GGUF, for llama.cpp and the programs built on it."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from trivium.export.job import Job
from trivium.export.kinds import merged
from trivium.export.llama import convert, opened, source
from trivium.export.runtime import Variant
from trivium.schema import ExportConfig
from trivium.schema.export import GGUF_TYPES


def needs(config: ExportConfig) -> tuple[str, ...]:
    """The merged weights."""
    return ("merged",)


def types_of(config: ExportConfig) -> tuple[str, ...]:
    """The types that are written, for this kind and for those made from it, from the most to the least exact."""
    pushed = config.hub.enabled and config.hub.push and config.hub.content == "gguf"
    wanted = {*config.gguf.types} if config.gguf.enabled or pushed else set()
    if config.ollama.enabled and config.ollama.source == "merged":
        wanted.add(config.ollama.type)
    if config.lmstudio.enabled:
        wanted.add(config.lmstudio.type)
    return tuple(kind for kind in GGUF_TYPES if kind in (wanted or config.gguf.types))


def file_of(job: Job, folder: Path, kind: str) -> Path:
    """The file of a type in this kind's folder."""
    return folder / f"{job.config.name}-{kind}.gguf"


def make(job: Job, out: Path, made: Mapping[str, Path]) -> Mapping[str, Any]:
    """One file for each type; returns the converter and what types the tensors of each file really have."""
    settings = job.config.export
    convert.require_llama_cpp()
    files = {kind: file_of(job, out, kind) for kind in types_of(settings)}
    place, named = Path(job.config.cache_dir), settings.gguf.pre_tokenizer
    counts = convert.write_model(made["merged"], files, job.config.name, place, named)
    for kind, found in counts.items():
        if note := convert.unexpected(kind, found):
            job.screen.warn(f"gguf/{kind}: {note}")
    return {"converter": source.name(), "tensors": counts}


def variants(job: Job, folder: Path, made: Mapping[str, Path]) -> list[Variant]:
    """Each file by itself."""
    own = merged.precision(job, made["merged"])
    files = {kind: file_of(job, folder, kind) for kind in types_of(job.config.export)}
    return [Variant(f"gguf/{kind}", coarser(kind, own), (file,), partial(opened, file)) for kind, file in files.items()]


def coarser(kind: str, own: str) -> str:
    """What limits the errors: the type of the file, or that of the weights or of the reference where it is the coarser one."""
    plain = list(merged.PRECISIONS.values())
    return max(kind, own, key=plain.index) if kind in plain else kind
