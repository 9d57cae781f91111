"""One file under two names."""

import os
import shutil
from pathlib import Path


def link(file: Path, name: Path) -> None:
    """Give a file a second name without copying it; where the disk cannot do that, copy it."""
    name.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, name)
    except OSError:
        shutil.copyfile(file, name)
