"""The whole model in safetensors, the adapter folded in: an ordinary Hugging Face directory that needs nothing else."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from trivium.artifact import MANIFEST
from trivium.export import hf_config, reference
from trivium.export.job import Job
from trivium.export.runtime import Variant
from trivium.models.merge import fold
from trivium.schema import ExportConfig

PRECISIONS = {"float32": "f32", "float16": "f16", "bfloat16": "bf16"}
"""Names of types of weights in a certificate, the finest first."""


def needs(config: ExportConfig) -> tuple[str, ...]:
    """Nothing."""
    return ()


def make(job: Job, out: Path, made: Mapping[str, Path]) -> Mapping[str, Any]:
    """Merge in `export.merged.dtype`, or in the base model's own type, and complete the settings for other programs."""
    dtype = fold(job.config.model, job.base, job.run, out, job.config.export.merged.dtype)
    hf_config.complete(out)
    return {"dtype": dtype}


def precision(job: Job, folder: Path) -> str:
    """What limits a model directory's errors: the type of its weights, or that of the reference where it is the coarser."""
    types = (hf_config.dtype_of(folder), job.config.hardware.dtype)
    return PRECISIONS[max(types, key=list(PRECISIONS).index)]


def variants(job: Job, folder: Path, made: Mapping[str, Path]) -> list[Variant]:
    """The directory in Transformers."""
    kept = (".safetensors", ".json", ".jinja")
    files = tuple(sorted(path for path in folder.iterdir() if path.suffix in kept and path.name != MANIFEST))
    return [Variant("merged", precision(job, folder), files, partial(reference.whole, job, folder))]
