"""The folders that LM Studio looks for, publisher/model/file; it reads template and stops from the file."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from trivium.export.job import Job
from trivium.export.kinds import gguf, merged
from trivium.export.links import link
from trivium.export.llama import opened
from trivium.export.runtime import Variant
from trivium.schema import ExportConfig


def needs(config: ExportConfig) -> tuple[str, ...]:
    """The file."""
    return ("gguf",)


def make(job: Job, out: Path, made: Mapping[str, Path]) -> Mapping[str, Any]:
    """Lay the file there; returns how to import it."""
    kind = job.config.export.lmstudio.type
    target = _file(job, out)
    link(gguf.file_of(job, made["gguf"], kind), target)
    here = job.folder / "lmstudio"
    return {
        "import": f"lms import {here / target.relative_to(out)}",
        "or": f"copy the folder {here / job.config.export.lmstudio.publisher} into LM Studio's models folder",
    }


def variants(job: Job, folder: Path, made: Mapping[str, Path]) -> list[Variant]:
    """The file in its place."""
    file = _file(job, folder)
    limit = gguf.coarser(job.config.export.lmstudio.type, merged.precision(job, made["merged"]))
    return [Variant("lmstudio", limit, (file,), partial(opened, file))]


def _file(job: Job, folder: Path) -> Path:
    settings, name = job.config.export.lmstudio, job.config.name
    return folder / settings.publisher / name / f"{name}-{settings.type}.gguf"
