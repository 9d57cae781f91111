"""The adapter alone as GGUF, to be laid over the base model's file."""

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from trivium.artifact import cached, code_hash, file_hash, key_of
from trivium.errors import ConfigError
from trivium.export.job import Job
from trivium.export.kinds.gguf import coarser
from trivium.export.kinds.merged import PRECISIONS
from trivium.export.llama import convert, opened, source
from trivium.export.runtime import Variant
from trivium.models.load import ADAPTER_DIR, load_tokenizer
from trivium.models.merge import model_folder
from trivium.models.quiet import quiet
from trivium.schema import ExportConfig


def needs(config: ExportConfig) -> tuple[str, ...]:
    """Nothing but the run."""
    return ()


def file_of(job: Job, folder: Path, kind: str) -> Path:
    """The adapter's file of a type in this kind's folder."""
    return folder / f"{job.config.name}-lora-{kind}.gguf"


def make(job: Job, out: Path, made: Mapping[str, Path]) -> Mapping[str, Any]:
    """Write the adapter; returns the converter and the types of its tensors."""
    adapter = job.run / ADAPTER_DIR
    if not adapter.is_dir():
        raise ConfigError(
            "export=[gguf_lora] needs an adapter, and this run trained every weight (adapter=full); take export=[gguf]."
        )
    convert.require_llama_cpp()
    kind = job.config.export.gguf_lora.type
    base, place = model_folder(job.config.model, job.base), Path(job.config.cache_dir)
    counts = convert.write_adapter(adapter, base, kind, file_of(job, out, kind), job.config.name, place)
    return {"converter": source.name(), "tensors": counts}


def variants(job: Job, folder: Path, made: Mapping[str, Path]) -> list[Variant]:
    """The adapter over the base model's file of the same type."""
    kind = job.config.export.gguf_lora.type
    file = file_of(job, folder, kind)
    limit = coarser(kind, PRECISIONS[job.config.hardware.dtype])
    return [Variant("gguf_lora", limit, (file,), partial(opened, base_file(job, kind), file))]


def base_file(job: Job, kind: str) -> Path:
    """The base model as GGUF of a type, made once into the cache."""
    config = job.config
    base = model_folder(config.model, job.base)
    files = _fingerprint(base, config.model.chat_template)
    code = code_hash("export/llama", "export/llama_driver.py", "export/hf_config.py", "models")
    key = key_of(job.base, config.model, files, config.export.gguf.pre_tokenizer, source.name(), kind, code)
    folder = Path(config.cache_dir) / "gguf" / f"{config.model.name}-{key}"
    file = folder / f"{config.model.name}-{kind}.gguf"
    cached(folder, "gguf", key, lambda out: _write_base(job, base, out / file.name, kind))
    return file


def _write_base(job: Job, base: Path, file: Path, kind: str) -> Mapping[str, Any]:
    plain = file.parent / "plain"
    _write_plain(job, base, plain)
    place, named = Path(job.config.cache_dir), job.config.export.gguf.pre_tokenizer
    counts = convert.write_model(plain, {kind: file}, job.config.model.name, place, named)
    shutil.rmtree(plain)
    return {"tensors": counts}


def _write_plain(job: Job, base: Path, out: Path) -> None:
    """The base model as other programs read it: its weights where they are, the settings and the template completed."""
    from trivium.export import hf_config

    out.mkdir()
    for name in ("config.json", "generation_config.json", "model.safetensors.index.json"):
        if (base / name).is_file():
            (out / name).write_bytes((base / name).read_bytes())
    for weights in base.glob("model*.safetensors"):
        (out / weights.name).symlink_to(weights.resolve())
    with quiet():
        load_tokenizer(job.config.model, job.base).save_pretrained(out)
    hf_config.complete(out)


def _fingerprint(folder: Path, template: str | None) -> dict[str, Any]:
    """Sizes of the weights and hashes of the small files, a chat template of one's own among them."""
    weights = {file.name: (file.stat().st_size, file.stat().st_mtime_ns) for file in folder.glob("*.safetensors")}
    own = [] if template is None else [Path(template).expanduser()]
    return weights | {file.name: file_hash(file) for file in [*sorted(folder.glob("*.json")), *folder.glob("*.jinja"), *own]}
