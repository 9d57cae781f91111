"""A notebook that repeats the run on another machine; see `trivium.export.notebook`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivium.export import notebook
from trivium.export.job import Job
from trivium.export.runtime import Variant
from trivium.schema import ExportConfig


def needs(config: ExportConfig) -> tuple[str, ...]:
    """Nothing."""
    return ()


def make(job: Job, out: Path, made: Mapping[str, Path]) -> Mapping[str, Any]:
    """Write `<name>.ipynb`; returns its size in bytes and what has to be uploaded beside it."""
    found = notebook.notebook(job)
    path = out / f"{job.config.name}.ipynb"
    path.write_text(json.dumps(found.content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    return {"bytes": path.stat().st_size, "to_upload": found.wanted, "words": found.words}


def variants(job: Job, folder: Path, made: Mapping[str, Path]) -> list[Variant]:
    """None: a notebook is no model."""
    return []
