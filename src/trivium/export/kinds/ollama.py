"""A folder that `ollama create` takes: the weights as GGUF, and a Modelfile with template, stops and settings."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from trivium import __version__
from trivium.data import chat
from trivium.export import battery, go_template, modelfile, template
from trivium.export.hub import OTHER
from trivium.export.job import Job
from trivium.export.kinds import gguf, gguf_lora, merged
from trivium.export.links import link
from trivium.export.modelfile import Modelfile
from trivium.export.ollama import begin_of, running
from trivium.export.runtime import Variant
from trivium.export.template import Parts
from trivium.models.load import load_tokenizer
from trivium.models.merge import model_folder
from trivium.schema import ExportConfig

MODELFILE = "Modelfile"
PROGRAM = "ollama"
_USUAL_CONTEXT = 2048
"""Tokens that a conversation is given where the model has them."""
_LONGEST_CREATE = 3600
"""Seconds that `ollama create` may take."""


def needs(config: ExportConfig) -> tuple[str, ...]:
    """The whole model, or the adapter, which then goes over the base model's file."""
    return ("gguf",) if config.ollama.source == "merged" else ("gguf_lora",)


def make(job: Job, out: Path, made: Mapping[str, Path]) -> Mapping[str, Any]:
    """Lay the files there, write the Modelfile, and create the model in Ollama where the program is found.

    Raises `ModelError` when the chat template cannot be told in Ollama's language. That Ollama fails is a warning.
    """
    files = _files(job, made)
    for name, source in files.items():
        link(source, out / name)
    tokenizer = load_tokenizer(job.config.model, job.base)
    parts = _parts(tokenizer)
    file = _modelfile(job, tokenizer, parts, list(files), begin_of(next(iter(files.values()))), made)
    comment = f"Trivium {__version__}, {job.config.name}, run {job.run_id or '-'}"
    (out / MODELFILE).write_text(modelfile.write(file, comment), encoding="utf-8")
    differs = list(_differs(tokenizer, parts))
    for sentence in differs:
        job.screen.warn(f"ollama: {sentence}.")
    return {"differs": differs, **_create(job, out)}


def variants(job: Job, folder: Path, made: Mapping[str, Path]) -> list[Variant]:
    """The files under the Modelfile."""
    settings = job.config.export.ollama
    files = (folder / MODELFILE, *(folder / name for name in _names(job)))
    own = merged.precision(job, made["merged"]) if "merged" in made else merged.PRECISIONS[job.config.hardware.dtype]
    return [Variant("ollama", gguf.coarser(settings.type, own), files, partial(running, folder, _system(job)))]


def model_name(job: Job) -> str:
    """What the model is called in Ollama."""
    return job.config.export.ollama.model or re.sub(r"[^\w.-]+|^[.-]+", "-", job.config.name, flags=re.ASCII).strip("-").lower()


def _names(job: Job) -> tuple[str, ...]:
    return ("model.gguf",) if job.config.export.ollama.source == "merged" else ("base.gguf", "lora.gguf")


def _files(job: Job, made: Mapping[str, Path]) -> dict[str, Path]:
    """The files by their names beside the Modelfile, the whole model or the base first."""
    settings = job.config.export
    if settings.ollama.source == "merged":
        found = [gguf.file_of(job, made["gguf"], settings.ollama.type)]
    else:
        lora = gguf_lora.file_of(job, made["gguf_lora"], settings.gguf_lora.type)
        found = [gguf_lora.base_file(job, settings.ollama.type), lora]
    return dict(zip(_names(job), found, strict=True))


def _parts(tokenizer: Any) -> Parts:
    """The parts of the chat template, which give all of its renderings."""
    render = partial(chat.render, tokenizer)
    parts = template.parts(render)
    template.require(parts, render, battery.conversations(tokenizer))
    return parts


def _differs(tokenizer: Any, parts: Parts) -> Iterator[str]:
    """What Ollama will do otherwise than the chat template."""
    yield from parts.differs
    if "strftime_now" in str(tokenizer.chat_template):
        yield "the date that the template tells is that of the export"


def _modelfile(job: Job, tokenizer: Any, parts: Parts, names: list[str], begin: str, made: Mapping[str, Path]) -> Modelfile:
    folder = made["merged"] if "merged" in made else model_folder(job.config.model, job.base)
    stops = [*_ends(tokenizer, folder), *_openings(parts, tokenizer)]
    adapter = f"./{names[1]}" if len(names) > 1 else None
    return Modelfile(
        f"./{names[0]}",
        adapter,
        go_template.write(parts.without(begin)),
        _system(job) if parts.system != "none" else None,
        (*_settings(job, folder).items(), *(("stop", text) for text in dict.fromkeys(stops))),
        tuple(_licenses(job)),
    )


def _system(job: Job) -> str | None:
    """The system message that the model is to be under."""
    own = job.config.export.ollama.system
    return job.config.dataset.chat.system if own is None else own


def _settings(job: Job, folder: Path) -> dict[str, str]:
    """PARAMETER lines. Older versions of Ollama punish repetitions unless told otherwise, which no evaluation here does."""
    settings = job.config.export.ollama
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    usual = min(_USUAL_CONTEXT, config.get("max_position_embeddings") or _USUAL_CONTEXT)
    found = {
        "num_ctx": settings.num_ctx or max(job.config.model.max_length, usual),
        "temperature": settings.temperature,
        "repeat_penalty": 1.0,
        "top_p": settings.top_p,
        "top_k": settings.top_k,
    }
    return {name: format(value, "g" if isinstance(value, float) else "d") for name, value in found.items() if value is not None}


def _ends(tokenizer: Any, folder: Path) -> list[str]:
    """The texts of the tokens at which the model ends a turn."""
    file = folder / "generation_config.json"
    ends = json.loads(file.read_text(encoding="utf-8")).get("eos_token_id") if file.is_file() else None
    ids = [tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])]
    return list(tokenizer.convert_ids_to_tokens([i for i in dict.fromkeys(ids) if i is not None]))


def _openings(parts: Parts, tokenizer: Any) -> list[str]:
    """What begins a user's turn, which a model writes when it goes on by itself; none where that could be said in earnest."""
    text = parts.turns["user"].prefix.replace(tokenizer.bos_token or "\0", "").strip()
    return [text] if re.search(r"[<\[|#]", text) else []


def _licenses(job: Job) -> Iterator[str]:
    """The base model's licence as it lies beside the weights, else the name of it that is set."""
    found = [file for file in sorted(model_folder(job.config.model, job.base).glob("LICEN[CS]E*")) if file.is_file()]
    for file in found:
        text = file.read_text(encoding="utf-8", errors="replace")
        yield "".join(c for c in text if c.isprintable() or c in "\n\t")
    settings = job.config.export.hub
    if not found and (name := settings.license_name or settings.license) != OTHER:
        yield name


def _create(job: Job, out: Path) -> dict[str, Any]:
    """Whether the model is in Ollama now, and the command that puts it there."""
    name, program = model_name(job), shutil.which(PROGRAM)
    again = f"cd {shlex.quote(str(job.folder / 'ollama'))} && {PROGRAM} create {shlex.quote(name)} -f {MODELFILE}"
    told = {"model": name, "command": again, "created": False}
    if program is None or not job.config.export.ollama.create:
        return told
    command = [program, "create", name, "-f", MODELFILE]
    try:
        done = subprocess.run(
            command,
            cwd=out,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LONGEST_CREATE,
        )
        reason = "" if done.returncode == 0 else (done.stderr.strip().splitlines() or [f"code {done.returncode}"])[-1]
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    if reason:
        job.screen.warn(f"ollama create failed ({reason}); repeat it with: {again}")
    return {**told, "created": not reason}
