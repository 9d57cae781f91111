"""The PEFT adapter by itself: small, and useless without the base model that it was trained on, which its settings name."""

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from trivium.artifact import MANIFEST
from trivium.errors import ConfigError
from trivium.export import reference
from trivium.export.hf_config import read, write
from trivium.export.job import Job
from trivium.export.runtime import Variant
from trivium.models.checks import can_be_hub_id
from trivium.models.load import ADAPTER_DIR
from trivium.models.low_rank import CONFIG, WEIGHTS
from trivium.schema import ExportConfig


def needs(config: ExportConfig) -> tuple[str, ...]:
    """Nothing."""
    return ()


def make(job: Job, out: Path, made: Mapping[str, Path]) -> Mapping[str, Any]:
    """Copy it; a base model in a folder of this machine is named by that folder's name alone.

    Raises `ConfigError` when every weight was trained.
    """
    source = job.run / ADAPTER_DIR
    if not (source / CONFIG).is_file():
        raise ConfigError("export=adapter: this run trained every weight and has no adapter; take export=merged.")
    if job.config.starts_from is not None:
        job.screen.warn(
            f"the adapter belongs to the merged weights of the stage {job.config.starts_from}, which nobody else has; give "
            "export=merged along with it."
        )
    shutil.copytree(source, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST, "README.md"))
    base = job.base if can_be_hub_id(job.base) else Path(job.base).name
    write(out / CONFIG, {**read(out / CONFIG), "base_model_name_or_path": base})
    return {"base_model": base, "base_is_public": can_be_hub_id(job.base)}


def variants(job: Job, folder: Path, made: Mapping[str, Path]) -> list[Variant]:
    """The base model with it, in Transformers."""
    files = (folder / WEIGHTS, folder / CONFIG)
    return [Variant("adapter", "exact", files, partial(reference.adapted, job, folder.parent))]
